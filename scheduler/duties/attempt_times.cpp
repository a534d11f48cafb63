#include "db/engine/attempt_times.h"

#include "scheduler/duties/table.h"

namespace postern::scheduler {

// What a statement loses is missing from the metrics, and from nothing else.
void count_times(const DutyRun& run) {
  const auto times = run.context().dispatcher.settler().take_times();
  if (times.empty()) return;
  run.ask(db::kCountTimes, times.params(run.context().options.instance),
          [](const db::PgResult&) {});
}

}  // namespace postern::scheduler
