// The five fields of a cron expression as sets, and the search in the calendar for what matches
// them. Wall clocks only: time zones are core/cron's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

#include "core/base/text.h"
#include "core/time/zones.h"

namespace postern {

// Fields are divided by kWhitespace.

// What a wall clock must show. Bit n of a set stands for the value n.
struct CronFields {
  std::uint64_t minutes = 0;   // 0..59
  std::uint64_t hours = 0;     // 0..23
  std::uint64_t days = 0;      // of the month: 1..31
  std::uint64_t months = 0;    // 1..12
  std::uint64_t weekdays = 0;  // 0, Sunday, ..6
  // A day matches by its date or by its weekday; otherwise it must match by both.
  bool either_day = false;
  // Neither the minute nor the hour is written with a star: see CronSpec's rule for changes of the
  // clocks.
  bool fixed_time = false;

  // Reads "minute hour day month weekday" or "@daily" and its like, in the syntax that CronSpec
  // describes but for its prefix and "@every". On failure: what is wrong, in a sentence.
  static boost::system::result<CronFields, std::string> parse(std::string_view text);

  // The first matching minute at `from` or later and in `last` or before. It costs a step for each
  // month without a match.
  std::optional<LocalTime> at_or_after(LocalTime from, std::chrono::year last) const;
};

}  // namespace postern
