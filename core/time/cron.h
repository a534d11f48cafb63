// The times of a schedule: a cron expression in a time zone, or a fixed interval in seconds.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/time/cron_fields.h"
#include "core/time/time.h"
#include "core/time/zones.h"

namespace postern {

// Cheap to copy; safe for any number of threads.
//
// The syntax is that of robfig/cron v3's ParseStandard:
//   minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or jan-dec, day of the week 0-6
//   (Sunday is 0; there is no 7) or sun-sat; words in either case.
//   Each is a list of "5", "1-5" (first <= last), "*" or "?" (the same), and these with a step:
//   "*/5", "10-40/5"; "10/5" is 10 to the maximum by 5. L, W and # are not supported.
//   When the day of the month or the day of the week is a bare star, a day must match both; else it
//   may match either. A star with a step of 2 or more is not bare.
//   @yearly (@annually), @monthly, @weekly, @daily (@midnight), @hourly.
//   @every and a Go duration of 1 s or more, truncated to whole seconds: "@every 1h30m".
//   Any of these may have a zone in front: "TZ=Europe/Berlin " or "CRON_TZ=Europe/Berlin ".
// Stricter than that parser, which accepts empty list elements, signs and anything after "*-".
//
// Clock changes (summer time, or a zone that changes its offset for good). As in Debian's cron, the
// rule depends on whether the minute or the hour is written with a star in any list element:
//   A fixed time (no star: "30 2 * * *", "0-59/5 9-17 * * *", @daily) fires exactly once for each
//   matching local time. A skipped local time fires at the instant of the change; all skipped ones,
//   and one that matches that instant itself, are a single occurrence. A repeated local time fires
//   the first time only. The size of the change does not matter: Apia skipped all of 30 December
//   2011, and what was due on that day fired at the instant at which it would have begun.
//   An interval (star: "*/15 * * * *", "30 * * * *", "*/5 2 * * *", @hourly) fires whenever local
//   time matches: not for skipped times, and twice for repeated ones. When a change is of whole
//   hours, the distances in minutes stay the same.
class CronSpec {
 public:
  // Reads a spec; `timezone` is empty (UTC, unless the spec has a zone in front) or a zone's name.
  // Errors (invalid_argument): "timezone_invalid", field "timezone"; "schedule_invalid", field
  // `field`, for anything wrong in the spec, including a zone that differs from `timezone` and
  // dates that do not exist, such as 30 February.
  static Result<CronSpec> parse(std::string_view spec, std::string_view timezone,
                                std::string_view field);

  // REQUIRES: interval >= 1 s.
  static CronSpec every(Seconds interval);

  // The first occurrence strictly after `after`. An interval counts from `anchor`, the schedule's
  // creation: its first occurrence is anchor + interval; cron expressions ignore `anchor`.
  // nullopt: no occurrence before the year 10000. Cron expressions are searched for 8 years, the
  // longest distance between two 29 Februaries (2096 to 2104).
  // REQUIRES: both times are in 1970 or later.
  std::optional<Time> next(Time after, Time anchor) const;

  // How many occurrences there are in after < t <= until. Cost: by months and clock changes, not by
  // occurrences; 10 us for a year.
  // REQUIRES: the same, and what is found lies before the year 10000.
  std::int64_t count(Time after, Time until, Time anchor) const;

 private:
  CronSpec() = default;
  std::optional<Time> next_fixed(Time after, std::chrono::year last) const;
  std::optional<Time> next_interval(Time after, std::chrono::year last) const;
  std::int64_t count_fixed(std::chrono::sys_seconds from, std::chrono::sys_seconds to) const;
  std::int64_t count_interval(std::chrono::sys_seconds from, std::chrono::sys_seconds to) const;

  Seconds every_{0};  // 0: a cron expression, by the two below
  CronFields fields_;
  TimeZone zone_;
};

}  // namespace postern
