#include "db/engine/lanes.h"

#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

constexpr std::size_t kLanesAtOnce = 500;

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
          [run, &from](const db::PgResult& result) { run.go_on(from, db::lanes_behind(result)); });
}

}  // namespace postern::scheduler
