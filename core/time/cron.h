// When a schedule fires: a cron expression in a time zone, or every so many seconds.
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
//   Each a list of "5", "1-5" (never backwards), "*" or "?" (the same), and these with a step:
//   "*/5", "10-40/5"; "10/5" is 10 to the maximum by 5. There is no L, W or #.
//   When the day of the month or the day of the week is a bare star, a day must match both; else it
//   may match either. A star with a step of 2 or more is not bare.
//   @yearly (@annually), @monthly, @weekly, @daily (@midnight), @hourly.
//   @every and a duration of 1 s or more as Go writes it, cut off to whole seconds: "@every 1h30m".
//   In front of all of these a zone: "TZ=Europe/Berlin " or "CRON_TZ=Europe/Berlin ".
// Stricter than that parser, which overlooks empty places of a list, signs and what follows "*-".
//
// When wall clocks change. Debian's cron decides by whether the minute or the hour is written with
// a star (in any element of its list), and so does this:
//   A fixed time ("30 2 * * *", "0-59/5 9-17 * * *", @daily) fires exactly once for each time that
//   matches. One that clocks skip fires at the moment they jump; several that are skipped, and one
//   that matches that moment itself, are one occurrence. One that clocks show twice fires the first
//   time only. There is no limit to the jump: Apia skipped all of 30 December 2011, and what was
//   due on that day fired when it would have begun.
//   An interval ("*/15 * * * *", "30 * * * *", "*/5 2 * * *", @hourly) fires whenever a clock on
//   the wall shows a time that matches: nothing for times that are skipped, and again for times
//   that are shown twice. Where clocks change by whole hours, minutes keep their distance.
// The reason for the change does not matter: summer time, or a country that moves for good.
class CronSpec {
 public:
  // Reads a spec; `timezone` is empty (UTC, unless the spec has a zone in front) or a zone's name.
  // Errors: invalid_argument, "timezone_invalid", field "timezone"; "schedule_invalid", field
  // `field`, for everything in the spec: also for a zone that differs from `timezone`, and for days
  // that never come, such as 30 February.
  static Result<CronSpec> parse(std::string_view spec, std::string_view timezone,
                                std::string_view field);

  // REQUIRES: interval >= 1 s.
  static CronSpec every(Seconds interval);

  // The first occurrence strictly after `after`. `anchor`, the schedule's creation, is where an
  // interval counts from: anchor + interval is its first occurrence; cron expressions ignore it.
  // nullopt: nothing before the year 10000. Cron expressions are searched for 8 years, which is
  // as far as a 29 February can be away (2096 to 2104).
  // REQUIRES: both are of 1970 or later.
  std::optional<Time> next(Time after, Time anchor) const;

 private:
  CronSpec() = default;
  std::optional<Time> next_fixed(Time after, std::chrono::year last) const;
  std::optional<Time> next_interval(Time after, std::chrono::year last) const;

  Seconds every_{0};  // 0: a cron expression, by the two below
  CronFields fields_;
  TimeZone zone_;
};

}  // namespace postern
