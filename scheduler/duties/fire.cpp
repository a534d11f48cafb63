#include <vector>

#include "core/program/log.h"
#include "db/engine/occurrences.h"
#include "scheduler/duties/schedules.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// What is fired at once, so that a long absence does not keep the loop from its heartbeat; the rest
// is still due.
constexpr int kSchedules = 500;
constexpr int kOccurrences = 1000;
constexpr auto kPlanning = 50ms;

void fire_due(const DutyRun& run, const db::Due& due) {
  auto& environment = run.context().environment;
  const auto until = environment.now() + kPlanning;
  std::vector<db::Firing> firings;
  const auto most = static_cast<std::size_t>(run.part(kOccurrences));
  std::size_t occurrences = 0, bytes = 0;
  for (const auto& each : due.schedules) {
    firings.push_back(
        plan_firing(each, due.now, due.paused, [&] { return environment.new_task_id(); }));
    occurrences += firings.back().occurrences.size();
    bytes += firings.back().bytes;
    if (occurrences >= most || bytes >= kMostBytes || environment.now() > until) {
      break;
    }
  }
  run.store().fire(run.context().options.instance, firings,
                   run.step_reply<db::Fired>([run](const db::Fired& fired) {
                     if (fired.missed > 0)
                       log::warn("event=occurrences_missed count={}", fired.missed);
                     // There may be more, and when the next are due is not known; unless another
                     // scheduler took all of them, and will look.
                     if (fired.schedules > 0) run.also(promote);
                   }));
}

}  // namespace

void fire(const DutyRun& run) {
  run.store().due_schedules(run.part(kSchedules), run.reply<db::Due>([run](const db::Due& due) {
    if (!due.schedules.empty()) fire_due(run, due);
  }));
}

}  // namespace postern::scheduler
