#include <vector>

#include "core/model/ids.h"
#include "core/model/lane.h"
#include "core/program/log.h"
#include "core/wire/callback.h"
#include "db/engine/sequels.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// Until another scheduler, which sees to the sequels at this moment, is through.
constexpr auto kBusy = 20ms;
// Until whoever holds one of the tasks at this moment is through.
constexpr auto kHeld = 5ms;

void see_to(const DutyRun& run, const std::vector<db::Sequel>& sequels) {
  std::vector<db::Callback> callbacks;
  for (const auto& sequel : sequels) {
    // By now it may have been retried and ended otherwise: that end has a sequel of its own.
    if (!sequel.ended || !has_callback(*sequel.ended)) continue;
    if (!sequel.ended->unreadable.empty()) {
      log::error("callback given up task={} error=\"{}\"", to_typeid(sequel.task),
                 log_safe(sequel.ended->unreadable));
      continue;
    }
    auto task = callback_of(*sequel.ended, run.context().environment.new_task_id());
    const auto lane = lane_id(task.spec.tenant, task.spec.queue, lane_target(task.spec));
    callbacks.push_back({sequel.id, std::move(task), lane});
  }
  const auto done = [run](const db::PgResult& result) {
    const auto now = run.now();
    const auto woken = db::woken_from(result);
    if (!woken) return run.again(now + kBusy);
    run.context().dispatcher.add_lanes(parse_lanes(woken->lanes));
    run.again(woken->busy ? now + kHeld : now);  // there may be more
    if (woken->later) run.also(promote);
  };
  const auto& instance = run.context().options.instance;
  const int most = run.part(db::kSequelsAtOnce);
  if (callbacks.empty()) {
    run.step(db::kWake, db::wake_params(instance, sequels, most), done);
  } else {
    run.step(db::kFollow, db::follow_params(instance, sequels, callbacks, most), done);
  }
}

}  // namespace

void follow(const DutyRun& run) {
  auto& behind = run.context().followed;
  run.ask(db::kSequels, db::sequels_params(behind, run.part(db::kSequelsAtOnce)),
          [run, &behind](const db::PgResult& result) {
            auto [sequels, tenant] = db::sequels_from(result);
            behind = std::move(tenant);
            if (!sequels.empty()) see_to(run, sequels);
          });
}

}  // namespace postern::scheduler
