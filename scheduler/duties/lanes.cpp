#include <chrono>

#include "db/engine/lanes.h"

#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

constexpr std::size_t kLanesAtOnce = 500;
// Before the next part of the lanes is collected.
constexpr std::chrono::milliseconds kPause{200};

}  // namespace

// A statement that fails loses what it was to note, until the lane is claimed from again.
void note_lanes(const DutyRun& run) {
  auto& use = run.context().dispatcher.lane_use();
  const auto lanes = use.take(kLanesAtOnce, run.begun());
  if (lanes.empty()) return;
  run.ask(db::kNoteLanes, db::note_lanes_params(lanes), [run, &use, lanes](const db::PgResult&) {
    use.noted(lanes);
    if (!use.empty()) run.again();
  });
}

void collect_lanes(const DutyRun& run) {
  auto& from = run.context().lanes_from;
  run.ask(db::kCollectLanes, db::collect_lanes_params(from),
          [run, &from](const db::PgResult& result) {
            const auto behind = db::lanes_behind(result);
            from = behind.value_or(db::kFirstLane);
            if (behind) run.again(std::chrono::steady_clock::now() + kPause);
          });
}

}  // namespace postern::scheduler
