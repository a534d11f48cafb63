#include "core/model/schedule.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/model/queue.h"
#include "core/model/validation.h"

namespace postern {
namespace {

constexpr Seconds kMinDeadline{30};
constexpr Seconds kMaxMisfireWindow{30 * 86'400};
constexpr Seconds kMaxJitter{86'400};

Error bad(std::string field, std::string message) {
  return invalid("schedule_invalid", std::move(field), std::move(message));
}

Result<void> check_range(Seconds value, Seconds least, Seconds most, std::string_view reason,
                         std::string_view field) {
  if (value >= least && value <= most) return {};
  return invalid(std::string(reason), std::string(field),
                 fmt::format("{} must be {} to {} seconds.", field, least.count(), most.count()));
}

Result<void> check_policies(const Schedule& schedule) {
  if (schedule.misfire.limit < 1 || schedule.misfire.limit > kMaxMisfires) {
    return invalid("misfire_limit_out_of_range", "misfire_limit",
                   fmt::format("misfire_limit must be 1 to {}.", kMaxMisfires));
  }
  if (const auto ok = check_range(schedule.misfire.window, Seconds{0}, kMaxMisfireWindow,
                                  "misfire_window_out_of_range", "misfire_window_seconds");
      !ok) {
    return ok;
  }
  if (const auto ok = check_range(schedule.jitter, Seconds{0}, kMaxJitter, "jitter_out_of_range",
                                  "jitter_seconds");
      !ok) {
    return ok;
  }
  if (!schedule.deadline_offset) return {};
  if (*schedule.deadline_offset < kMinDeadline || *schedule.deadline_offset > kMaxDelay) {
    return bad("deadline_offset", "deadline_offset must be 30s or more, and at most ten years.");
  }
  if (*schedule.deadline_offset < schedule.jitter) {
    return bad("deadline_offset", "deadline_offset must not be less than jitter_seconds.");
  }
  return {};
}

Result<void> check_bounds(const ScheduleBounds& bounds) {
  if (bounds.starts_at && bounds.ends_at && *bounds.ends_at <= *bounds.starts_at) {
    return bad("ends_at", "ends_at must be after starts_at.");
  }
  return {};
}

}  // namespace

std::string_view name(Misfire value) {
  switch (value) {
    case Misfire::skip: return "skip";
    case Misfire::last: return "last";
    case Misfire::all: return "all";
  }
  return "";
}

std::string_view name(Overlap value) {
  switch (value) {
    case Overlap::allow: return "allow";
    case Overlap::skip: return "skip";
  }
  return "";
}

std::optional<Misfire> misfire_from(std::string_view word) {
  for (const Misfire value : {Misfire::skip, Misfire::last, Misfire::all}) {
    if (word == name(value)) return value;
  }
  return std::nullopt;
}

std::optional<Overlap> overlap_from(std::string_view word) {
  for (const Overlap value : {Overlap::allow, Overlap::skip}) {
    if (word == name(value)) return value;
  }
  return std::nullopt;
}

Result<CronSpec> check_times(const Schedule& schedule) {
  if (schedule.spec.empty()) {
    return bad("schedule", "schedule is required, or interval_seconds.");
  }
  if (schedule.interval) {
    if (const auto ok = check_range(*schedule.interval, Seconds{1}, kMaxDelay, "schedule_invalid",
                                    "interval_seconds");
        !ok) {
      return ok.error();
    }
  }
  Result<CronSpec> spec = CronSpec::parse(schedule.spec, schedule.timezone, "schedule");
  if (!spec) return spec;
  if (const auto ok = check_bounds(schedule.bounds); !ok) return ok.error();
  return spec;
}

Result<CronSpec> check_schedule(const Schedule& schedule, Time now) {
  if (!schedule.unreadable.empty()) {
    return conflict("corrupt_row",
                    fmt::format("The schedule's row in the database is odd ({}): put it anew, or "
                                "delete it.",
                                schedule.unreadable));
  }
  if (const auto ok = check_name(schedule.name, "name", "schedule_invalid"); !ok) {
    return ok.error();
  }
  Result<CronSpec> spec = check_times(schedule);
  if (!spec) return spec;
  if (const auto ok = check_policies(schedule); !ok) return ok.error();
  if (const auto ok = check_creation(schedule.task, now); !ok) return ok.error();
  if (const auto ok = check_not_reserved(schedule.task.queue, schedule.task.fields->queue); !ok) {
    return ok.error();
  }
  return spec;
}

void set_interval(Schedule& schedule, Seconds interval) {
  schedule.interval = interval;
  schedule.spec = fmt::format("@every {}s", interval.count());
}

std::string_view zone_of_spec(std::string_view spec) {
  spec.remove_prefix(std::min(spec.find_first_not_of(kWhitespace), spec.size()));
  for (const std::string_view prefix : {"TZ=", "CRON_TZ="}) {
    if (!spec.starts_with(prefix)) continue;
    spec.remove_prefix(prefix.size());
    return spec.substr(0, spec.find_first_of(kWhitespace));
  }
  return {};
}

void set_timezone(Schedule& schedule) {
  if (schedule.timezone.empty()) schedule.timezone = zone_of_spec(schedule.spec);
  if (schedule.timezone.empty()) schedule.timezone = "UTC";
}

Time anchor_of(const Schedule& schedule) {
  return std::chrono::floor<Seconds>(schedule.created_at);
}

std::optional<Time> next_occurrence(const CronSpec& spec, const Schedule& schedule, Time after) {
  const auto next = occurrences_after(spec, schedule, after, 1);
  return next.empty() ? std::nullopt : std::optional(next.front());
}

Result<void> set_first_time(Schedule& schedule, const CronSpec& spec, Time now) {
  schedule.next_at = next_occurrence(spec, schedule, now);
  if (schedule.next_at) return {};
  return bad(schedule.bounds.ends_at ? "ends_at" : "schedule", "The schedule would never fire.");
}

Result<void> set_paused(Schedule& schedule, bool paused, Time now) {
  schedule.paused = paused;
  schedule.updated_at = now;
  if (paused && schedule.unreadable.empty()) return {};
  const Result<CronSpec> spec = check_schedule(schedule, now);
  if (!spec) return spec.error();
  schedule.next_at = next_occurrence(*spec, schedule, now);
  return {};
}

std::vector<Time> occurrences_after(const CronSpec& spec, const Schedule& schedule, Time after,
                                    int count) {
  const ScheduleBounds& bounds = schedule.bounds;
  if (bounds.starts_at) after = std::max(after, *bounds.starts_at - Microseconds{1});
  std::vector<Time> out;
  while (static_cast<int>(out.size()) < count) {
    const auto next = spec.next(out.empty() ? after : out.back(), anchor_of(schedule));
    if (!next || (bounds.ends_at && *next >= *bounds.ends_at)) break;
    out.push_back(*next);
  }
  return out;
}

Result<NewTask> occurrence_task(const Schedule& schedule, Time nominal, const QueueDefaults& queue,
                                std::string_view tenant, const TaskId& id) {
  Creation wanted = schedule.task;
  wanted.run_at = nominal + jitter_delay(schedule.name, nominal, schedule.jitter);
  if (schedule.deadline_offset) wanted.deadline = nominal + *schedule.deadline_offset;
  return new_task(std::move(wanted), queue, tenant, id);
}

}  // namespace postern
