#include <vector>

#include "core/model/lane.h"
#include "core/wire/callback.h"
#include "db/engine/sequels.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// Until another scheduler, which sees to the sequels at this moment, is through.
constexpr auto kBusy = 20ms;

void see_to(const DutyRun& run, const std::vector<db::Sequel>& sequels) {
  std::vector<db::Callback> callbacks;
  for (const auto& sequel : sequels) {
    // By now it may have been retried and ended otherwise: that end has a sequel of its own.
    if (!sequel.ended || !has_callback(*sequel.ended)) continue;
    auto task = callback_of(*sequel.ended, run.context().environment.new_task_id());
    const auto lane = lane_id(task.spec.tenant, task.spec.queue, lane_target(task.spec));
    callbacks.push_back({sequel.id, std::move(task), lane});
  }
  const bool more = sequels.size() == db::kSequelsAtOnce;
  const auto done = [run, more](const db::PgResult& result) {
    const auto woken = db::woken_from(result);
    if (!woken) return run.again(run.now() + kBusy);
    run.context().dispatcher.add_lanes(parse_lanes(woken->lanes));
    if (more || woken->more) run.again();
    if (woken->later) run.also(promote);
  };
  const auto& instance = run.context().options.instance;
  if (callbacks.empty()) {
    run.ask(db::kWake, db::wake_params(instance, sequels), done);
  } else {
    run.ask(db::kFollow, db::follow_params(instance, sequels, callbacks), done);
  }
}

}  // namespace

void follow(const DutyRun& run) {
  run.ask(db::kSequels, {}, [run](const db::PgResult& result) {
    const auto sequels = db::sequels_from(result);
    if (!sequels.empty()) see_to(run, sequels);
  });
}

}  // namespace postern::scheduler
