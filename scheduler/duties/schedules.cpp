#include "scheduler/duties/schedules.h"

#include <exception>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "core/model/lane.h"
#include "core/model/schedule_times.h"
#include "core/program/log.h"

namespace postern::scheduler {
namespace {

constexpr Seconds kLookAgain{3600};

db::Occurrence skipped(Time nominal, std::string why) {
  return {nominal, std::nullopt, 0, std::move(why)};
}

void log_invalid(const db::DueSchedule& due, std::string_view why) {
  log::error("schedule invalid tenant={} schedule={} error=\"{}\"", log_safe(due.tenant),
             log_safe(due.schedule.name), log_safe(why));
}

// The times by which it fires; an error for what no API lets in, but SQL or another host's time
// zones may have brought about.
Result<CronSpec> times_of(const db::DueSchedule& due, Time now) try {
  return check_schedule(due.schedule, now);
} catch (const std::exception& fault) {
  return invalid("schedule_invalid", "", fault.what());
}

db::Occurrence fire(const db::DueSchedule& due, Time nominal, const TaskId& id) {
  Result<NewTask> task =
      occurrence_task(due.schedule, nominal, due.queue.value_or(QueueDefaults{}), due.tenant, id);
  if (!task) {
    log_invalid(due, task.error().message);
    return skipped(nominal, "invalid");
  }
  const TaskSpec& spec = task->spec;
  const auto lane = lane_id(spec.tenant, spec.queue, lane_target(spec));
  return {nominal, std::move(*task), lane, {}};
}

}  // namespace

db::Firing plan_firing(const db::DueSchedule& due, Time now, bool paused,
                       const std::function<TaskId()>& new_id) {
  const Schedule& schedule = due.schedule;
  db::Firing out;
  out.tenant = due.tenant;
  out.name = schedule.name;
  out.queue = schedule.task.queue;
  out.read_next_at = *schedule.next_at;
  out.read_updated_at = schedule.updated_at;
  out.queue_bounded = due.queue && due.queue->bounded;
  out.queue_missing = !due.queue;

  const Result<CronSpec> spec = times_of(due, now);
  if (!spec) {
    log_invalid(due, spec.error().message);
    out.queue_missing = false;  // its name may be what is wrong
    out.occurrences.push_back(skipped(*schedule.next_at, "invalid"));
    out.last_at = schedule.next_at;
    out.next_at = now + kLookAgain;
    return out;
  }

  const DueTimes times = due_times(*spec, anchor_of(schedule), *schedule.next_at - Microseconds{1},
                                   now, schedule.misfire, schedule.bounds);
  out.next_at = times.next;
  out.last_at = times.last_skipped;
  out.missed = times.skipped_count;
  for (const Time nominal : times.skipped) out.occurrences.push_back(skipped(nominal, "missed"));
  bool overlaps = due.overlaps;
  for (const Time nominal : times.fire) {
    if (out.bytes >= kMostBytes) {
      out.next_at = nominal;
      break;
    }
    out.last_at = std::max(out.last_at.value_or(nominal), nominal);
    if (paused) {
      out.occurrences.push_back(skipped(nominal, "paused"));
    } else if (overlaps) {
      out.occurrences.push_back(skipped(nominal, "overlap"));
    } else if (due.over_quota) {
      out.occurrences.push_back(skipped(nominal, "quota_exceeded"));
    } else {
      out.occurrences.push_back(fire(due, nominal, new_id()));
      const auto& task = out.occurrences.back().task;
      if (task && task->spec.body) out.bytes += task->spec.body->size();
      overlaps = schedule.overlap == Overlap::skip && task;
    }
  }
  return out;
}

FiringStep plan_step(const db::Due& due, std::size_t most, const std::function<bool()>& late,
                     const std::function<TaskId()>& new_id) {
  FiringStep out{{}, due.turn};
  std::size_t occurrences = 0, bytes = 0;
  std::set<std::string_view> tenants;
  for (auto each = due.schedules.begin(); each != due.schedules.end(); ++each) {
    tenants.insert(each->tenant);
    const auto& firing = out.firings.emplace_back(plan_firing(*each, due.now, due.paused, new_id));
    occurrences += firing.occurrences.size();
    bytes += firing.bytes;
    if (occurrences < most && bytes < kMostBytes && !late()) continue;
    // Unless the first round is through, some tenants had none of theirs planned.
    const auto next = std::next(each);
    if (next != due.schedules.end() && !tenants.contains(next->tenant)) out.turn = each->tenant;
    break;
  }
  return out;
}

}  // namespace postern::scheduler
