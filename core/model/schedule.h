// Schedules: the task that is made at each occurrence, and the checks of a schedule's settings.
// Pure. schedule_times.h decides which late occurrences fire.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/creation.h"
#include "core/model/schedule_times.h"
#include "core/time/cron.h"

namespace postern {

// Whether an occurrence fires while the task of the previous run is still live.
enum class Overlap { allow, skip };

std::string_view name(Misfire value);
std::string_view name(Overlap value);
// nullopt: an unknown word.
std::optional<Misfire> misfire_from(std::string_view word);
std::optional<Overlap> overlap_from(std::string_view word);

struct Schedule {
  std::string name;
  std::string spec;                 // as CronSpec::parse reads it
  std::optional<Seconds> interval;  // given instead of `spec`, which then is "@every" and this
  std::string timezone;             // empty: the zone in front of `spec`, else UTC
  Creation task;                    // REQUIRES: starts, deadline and dependencies are not set
  MisfirePolicy misfire;
  Overlap overlap = Overlap::allow;
  Seconds jitter{0};
  ScheduleBounds bounds;
  std::optional<Seconds> deadline_offset;  // after the occurrence
  bool paused = false;

  // Set by the database. Occurrences before `next_at` have been fired or skipped.
  std::optional<Time> next_at;  // nullopt: the schedule has ended
  std::optional<Time> last_at;  // the last occurrence that was fired or skipped
  Time created_at, updated_at;
  std::string error;  // why it cannot fire, found out when it was read; or empty
  std::string
      unreadable;  // what is wrong with its row, of which this is what can be read; or empty
};

// One occurrence, or one that was triggered by hand: the task it made, or why it made none.
struct ScheduleRun {
  Time nominal;
  Time fired_at;
  std::optional<TaskId> task;
  std::string skipped;
};

// Everything that can be told without the database; the times by which it fires. `name` and
// `timezone` are REQUIRED to be filled in; of the rest what is wrong is said. Reasons besides those
// of check_creation, check_not_reserved and CronSpec::parse: "schedule_invalid" (no name or a bad
// one, both or neither of schedule and interval_seconds, bounds, a deadline under 30 s),
// "misfire_limit_out_of_range", "misfire_window_out_of_range", "jitter_out_of_range".
Result<CronSpec> check_schedule(const Schedule& schedule, Time now);
// The part of it that concerns the times alone; `name` and `task` are not looked at.
Result<CronSpec> check_times(const Schedule& schedule);

// Fills in the timezone when none was given: the one in front of the spec, else UTC.
void set_timezone(Schedule& schedule);

// Sets `interval` and the matching "@every" spec.
void set_interval(Schedule& schedule, Seconds interval);

// The zone in front of a spec, as in "TZ=Europe/Berlin 0 8 * * *"; empty when there is none.
std::string_view zone_of_spec(std::string_view spec);

// The time from which an interval counts: the creation, truncated to seconds.
Time anchor_of(const Schedule& schedule);

// Up to `count` occurrences after `after`, oldest first.
std::vector<Time> occurrences_after(const CronSpec& spec, const Schedule& schedule, Time after,
                                    int count);

// When it fires for the first time after `after`; nullopt: never again.
std::optional<Time> next_occurrence(const CronSpec& spec, const Schedule& schedule, Time after);

// Sets the first `next_at` of a schedule that is new, or that has new times. "schedule_invalid": it
// would never fire.
Result<void> set_first_time(Schedule& schedule, const CronSpec& spec, Time now);

// Pauses it, or has it go on from `now`: what fell into the pause is not made up for.
Result<void> set_paused(Schedule& schedule, bool paused, Time now);

// The task of the occurrence at `nominal`. REQUIRES: `schedule` passed check_schedule. Errors:
// those of new_task (creation.h).
Result<NewTask> occurrence_task(const Schedule& schedule, Time nominal, const QueueDefaults& queue,
                                std::string_view tenant, const TaskId& id);

}  // namespace postern
