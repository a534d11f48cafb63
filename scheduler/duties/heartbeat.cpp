#include "db/engine/heartbeat.h"

#include "scheduler/duties/table.h"

namespace postern::scheduler {

void heartbeat(const DutyRun& run) {
  auto& context = run.context();
  const auto& options = context.options;
  run.store().beat(options.instance, options.name, context.gauges(),
                   run.reply<std::vector<db::Heartbeat>>([run, &context](const auto& beats) {
                     context.has_beaten = true;
                     context.dispatcher.beaten(run.begun() + context.options.rescue_after,
                                               run.now());
                     context.rescue.observe(beats, run.connects(), run.now());
                     run.also(rescue);
                     run.also(reclaim);
                   }));
}

}  // namespace postern::scheduler
