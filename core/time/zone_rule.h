// The rule for the years that a zone file does not list: the POSIX TZ string of its last line
// (RFC 8536, section 3.3). Pure; core/time/zones reads the files.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "core/time/time.h"

namespace postern {

// A period of constant offset: begin <= t < end, local = t + offset.
struct ZoneSpan {
  std::chrono::sys_seconds begin, end;
  Seconds offset;
};

// Cheap to copy; safe for any number of threads.
class ZoneRule {
 public:
  // The rule of a TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3", with hours of -167 to 167 in the
  // times of changes. nullopt for anything else: a second name without dates, as nothing says when
  // it is in force, and offsets of a day or more among them.
  static std::optional<ZoneRule> parse(std::string_view text);

  // The span that holds `time`. Two neighbours may have the same offset: a zone may have summer
  // time all year.
  ZoneSpan span_at(std::chrono::sys_seconds time) const;

  // A day of each year, and the local time at which clocks change: -167 h to 167 h of that day.
  struct Day {
    enum class Kind { leapless, counted, weekday } kind = Kind::counted;
    int number = 0;  // leapless: 1..365, without 29 February; counted: 0..365; weekday: 0..6
    unsigned month = 1, week = 1;  // of a weekday: the first to the fourth, or the last, 5
    Seconds at{0};
  };

 private:
  ZoneRule() = default;

  Seconds standard_{0}, summer_{0};  // offsets
  bool changes_ = false;             // else standard_ is always in force
  Day start_, end_;                  // of summer_
};

// The last line of a zone file, which is the rule's text, without its line ends; empty when it is
// missing, as in files of version 1.
std::string_view zone_footer(std::string_view file);

}  // namespace postern
