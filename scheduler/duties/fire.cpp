#include <utility>

#include "core/program/log.h"
#include "db/engine/occurrences.h"
#include "scheduler/duties/schedules.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// What is fired at once, so that a long absence does not keep the loop from its heartbeat; the rest
// is still due.
constexpr int kOccurrences = 1000;
constexpr auto kPlanning = 50ms;

void fire_due(const DutyRun& run, const db::Due& due) {
  auto& environment = run.context().environment;
  const auto until = environment.now() + kPlanning;
  auto plan = plan_step(
      due, static_cast<std::size_t>(run.part(kOccurrences)),
      [&] { return environment.now() > until; }, [&] { return environment.new_task_id(); });
  run.context().fired = std::move(plan.turn);
  run.store().fire(run.context().options.instance, plan.firings,
                   run.step_reply<db::Fired>([run](const db::Fired& fired) {
                     if (fired.missed > 0) log::warn("occurrences missed count={}", fired.missed);
                     // There may be more, and when the next are due is not known; unless another
                     // scheduler took all of them, and will look.
                     if (fired.schedules > 0) run.also(promote);
                   }));
}

}  // namespace

void fire(const DutyRun& run) {
  auto& behind = run.context().fired;
  run.store().due_schedules({.behind = behind,
                             .most = run.part(db::kSchedulesAtOnce),
                             .quota_waiting = run.context().options.quota_waiting},
                            run.reply<db::Due>([run, &behind](const db::Due& due) {
                              if (!due.schedules.empty()) return fire_due(run, due);
                              behind = due.turn;
                              if (due.more) run.also(promote);
                            }));
}

}  // namespace postern::scheduler
