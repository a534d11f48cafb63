#include "db/engine/heartbeat.h"

#include "core/program/clock.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {

void heartbeat(const DutyRun& run) {
  auto& context = run.context();
  const auto& options = context.options;
  const Time before = wall_clock();
  run.store().beat(
      options.instance, options.name, context.gauges(),
      run.reply<std::vector<db::Heartbeat>>([run, &context, before](const auto& beats) {
        if (!beats.empty() && beats.front().clock != Time{}) {
          compare_clocks(before, beats.front().clock, wall_clock());
        }
        context.has_beaten = true;
        context.dispatcher.beaten(run.begun() + context.options.rescue_after, run.now());
        context.rescue.observe(beats, run.connects(), run.now());
        run.also(rescue);
        run.also(reclaim);
      }));
}

}  // namespace postern::scheduler
