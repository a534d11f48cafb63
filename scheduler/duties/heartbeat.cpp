#include "db/engine/heartbeat.h"

#include "scheduler/duties/table.h"

namespace postern::scheduler {

void heartbeat(const DutyRun& run) {
  auto& context = run.context();
  const auto& options = context.options;
  run.ask(db::kBeat, db::beat_params(options.instance, options.name, context.gauges()),
          [run, &context](const db::PgResult& result) {
            context.has_beaten = true;
            context.rescue.observe(db::beats_from(result), run.connects(),
                                   std::chrono::steady_clock::now());
            run.also(rescue);
            run.also(reclaim);
          });
}

}  // namespace postern::scheduler
