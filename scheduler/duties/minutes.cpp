#include "db/engine/minutes.h"

#include <algorithm>

#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

constexpr int kCountersAtOnce = 10'000;
constexpr int kRowsAtOnce = 10'000;
// A pass takes at most a fifth of the connection's time, and is to be over before the next minute
// is.
constexpr int kShare = 4;

}  // namespace

void count_minute(const DutyRun& run) {
  run.step(db::kCountMinute, db::count_minute_params(run.part(kCountersAtOnce)),
           [run](const db::PgResult& result) {
             const auto now = run.now();
             if (db::minute_goes_on(result)) run.again(now + kShare * (now - run.begun()));
           });
}

void expire_minutes(const DutyRun& run) {
  const int most = run.part(kRowsAtOnce);
  run.step(db::kExpireMinutes, db::expire_minutes_params(most),
           [run, most](const db::PgResult& result) {
             if (result.affected() >= most) run.again();
           });
}

}  // namespace postern::scheduler
