#include <algorithm>
#include <span>

#include "db/engine/tick.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr int kPromotions = 1000, kFewPromotions = 100;
constexpr int kFewLanes = 20;
// Looking for work takes at most a fifth of the connection's time, however closely due times follow
// each other.
constexpr auto kSpacing = 5ms;
constexpr int kShare = 4;

void promoted(const DutyRun& run, const db::Tick& tick, int most) {
  const auto now = run.now();
  auto& dispatcher = run.context().dispatcher;
  for (const auto lane : tick.ready_lanes) dispatcher.lane_memory().found(lane);
  dispatcher.add_lanes(tick.ready_lanes);
  for (const auto& [lane, run_at] : tick.promoted_lanes) {
    dispatcher.lane_memory().look_from(lane, run_at);
    dispatcher.add_lanes(std::span(&lane, 1));
  }
  dispatcher.lane_memory().took(now - run.begun());
  if (tick.unrouted) run.also(route);
  if (tick.sequels) run.also(follow);
  if (tick.next_occurrence) run.also(fire, now + *tick.next_occurrence);
  run.context().lanes_looked_to = tick.stopped_at;
  if (!tick.stopped_at.empty()) run.again();
  if (tick.promoted >= most) {
    run.not_before({});
    run.again();
    return;
  }
  if (tick.next_due) run.again(now + *tick.next_due);
  run.rest(kShare, kSpacing);
}

}  // namespace

void promote(const DutyRun& run) {
  const auto known = run.context().dispatcher.lane_memory().marked(run.begun());
  const int most = std::max(kFewPromotions, run.part(kPromotions));
  const int gaps = static_cast<int>(known.size()) + 1;
  const int lanes = std::max(kFewLanes, run.part(db::kManyLanes) / gaps);
  run.store().tick(
      {most, known, lanes, run.context().lanes_looked_to},
      run.step_reply<db::Tick>([run, most](const db::Tick& tick) { promoted(run, tick, most); }));
}

}  // namespace postern::scheduler
