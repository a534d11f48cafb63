#include "scheduler/duties/route.h"

#include <span>
#include <vector>

#include "core/base/url.h"
#include "core/model/lane.h"
#include "core/model/queue.h"
#include "core/model/retry_policy.h"
#include "core/model/validation.h"
#include "core/program/log.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

constexpr int kRouted = 500;

// The wire, the queue's name and the ranges were checked by SQL.
Result<Url> check(const TaskSpec& spec) {
  auto url = parse_url(spec.url, "url");
  if (!url) return url;
  if (const auto ok = check_headers(spec.headers, "headers"); !ok) return ok.error();
  if (const auto ok = RetryPolicy::parse(spec.retry_policy); !ok) return ok.error();
  if (!spec.content_type.empty()) {
    if (const auto ok = check_content_type(spec.content_type, "content_type"); !ok) {
      return ok.error();
    }
  }
  if (spec.tags.size() > kMaxTags) {
    return invalid("tags_too_many", "tags", "There are more tags than a task may have.");
  }
  for (const auto& tag : spec.tags) {
    if (const auto ok = check_tag(tag, "tags"); !ok) return ok.error();
  }
  return url;
}

void send(const DutyRun& run, std::span<const Task> tasks) {
  std::vector<db::Routing> routings;
  std::vector<std::int64_t> lanes;
  for (const auto& task : tasks) {
    routings.push_back(routing_of(task));
    if (!routings.back().invalid.empty()) continue;
    lanes.push_back(routings.back().lane);
    run.context().dispatcher.lane_memory().look_from(lanes.back(), task.run_at);
  }
  const auto& options = run.context().options;
  run.step(db::kRoute, db::route_params(options.instance, routings, options.quota_waiting),
           [run, lanes](const db::PgResult& result) {
             const auto [routed, ended] = db::routed_from(result);
             if (ended > 0) {
               log::info("routing ended tasks={}", ended);
               run.also(follow);
             }
             run.context().dispatcher.add_lanes(lanes);
             // There may be more, unless all of these are held by somebody.
             if (routed + ended > 0) run.again();
           });
}

}  // namespace

db::Routing routing_of(const Task& task) {
  db::Routing routing;
  routing.id = task.spec.id;
  routing.tenant = task.spec.tenant;
  routing.queue = task.spec.queue;
  if (!task.unreadable.empty()) {
    routing.reason = Reason::corrupt_row;
    routing.invalid = task.last_error;
    return routing;
  }
  auto url = check(task.spec);
  const auto queue = check_not_reserved(routing.queue, "queue");
  if (!url || !queue) {
    routing.invalid = url ? queue.error().message : url.error().message;
    return routing;
  }
  routing.url = url->canonical();
  routing.lane = lane_id(routing.tenant, routing.queue, url->authority());
  return routing;
}

void route(const DutyRun& run) {
  auto& behind = run.context().routed;
  run.ask(db::kUnrouted, db::unrouted_params(behind, run.part(kRouted)),
          [run, &behind](const db::PgResult& result) {
            const auto tasks = db::unrouted_from(result);
            behind = tasks.empty() ? std::string() : tasks.back().spec.tenant;
            if (!tasks.empty()) send(run, tasks);
          });
}

}  // namespace postern::scheduler
