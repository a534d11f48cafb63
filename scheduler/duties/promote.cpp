#include <algorithm>

#include "db/engine/tick.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr int kPromotions = 1000;
// Looking for work takes at most a fifth of the connection's time, however closely due times follow
// each other.
constexpr auto kSpacing = 5ms;
constexpr int kShare = 4;

void promoted(const DutyRun& run, const db::Tick& tick) {
  const auto now = std::chrono::steady_clock::now();
  run.context().dispatcher.add_lanes(tick.ready_lanes);
  if (tick.unrouted) run.also(route);
  if (tick.sequels) run.also(follow);
  if (tick.next_occurrence) run.also(fire, now + *tick.next_occurrence);
  if (tick.promoted == kPromotions) {
    run.not_before({});
    run.again();
    return;
  }
  if (tick.next_due) run.again(now + *tick.next_due);
  run.not_before(now + std::max<Monotonic::duration>(kSpacing, kShare * (now - run.begun())));
}

}  // namespace

void promote(const DutyRun& run) {
  run.ask(db::kTick, db::tick_params(kPromotions),
          [run](const db::PgResult& result) { promoted(run, db::tick_from(result)); });
}

}  // namespace postern::scheduler
