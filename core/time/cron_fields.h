// The five fields of a cron expression as sets, and the calendar search for a match. Local times
// only; core/time/cron.h handles time zones.
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

// The local times that match. Bit n of a set stands for the value n.
struct CronFields {
  std::uint64_t minutes = 0;   // 0..59
  std::uint64_t hours = 0;     // 0..23
  std::uint64_t days = 0;      // of the month: 1..31
  std::uint64_t months = 0;    // 1..12
  std::uint64_t weekdays = 0;  // 0, Sunday, ..6
  // True: a day matches by its date or by its weekday. False: it must match by both.
  bool either_day = false;
  // Neither the minute nor the hour is written with a star; see the rule for clock changes at
  // CronSpec.
  bool fixed_time = false;

  // Reads "minute hour day month weekday", separated by kWhitespace, or a word such as "@daily":
  // the syntax at CronSpec without the zone and "@every". The error is a sentence.
  static boost::system::result<CronFields, std::string> parse(std::string_view text);

  // The first matching minute at `from` or later, up to the end of the year `last`; nullopt when
  // there is none. Takes one step for each month without a match.
  std::optional<LocalTime> at_or_after(LocalTime from, std::chrono::year last) const;

  // How many minutes match in from <= t < to. Takes one step for each month.
  std::int64_t count(LocalTime from, LocalTime to) const;
};

}  // namespace postern
