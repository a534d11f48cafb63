#include "db/engine/gauges.h"

#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// Each scheduler looks once a period, and measures when no other has done so lately.
constexpr Milliseconds kLately = kMeasurePeriod - 2s;
// Measuring takes at most a tenth of the time, whatever there is to count.
constexpr int kShare = 9;
// Until a failure may be followed by the next try, which may take as long as the statement's
// timeout.
constexpr auto kAfterFailure = 1min;

}  // namespace

void measure_queues(const DutyRun& run) {
  run.not_before(run.begun() + kAfterFailure);
  run.ask(db::kMeasureQueues, db::measure_queues_params(kLately), [run](const db::PgResult&) {
    const auto done = run.now();
    run.not_before(done + kShare * (done - run.begun()));
  });
}

}  // namespace postern::scheduler
