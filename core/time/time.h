// Points in time: UTC, microseconds, as in PostgreSQL. Nothing here reads a clock: `now` is always
// an argument, and the database's clock decides.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

using Microseconds = std::chrono::microseconds;
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using Time = std::chrono::sys_time<Microseconds>;
// The clock for a program's own waits.
using Monotonic = std::chrono::steady_clock::time_point;

// The times that Postern keeps: the years 1970 to 9999. SQL has the same as postern.is_time, and a
// test holds the two together.
inline constexpr Time kFirstTime = std::chrono::sys_days{std::chrono::year{1970} / 1 / 1};
inline constexpr Time kLastTime =
    std::chrono::sys_days{std::chrono::year{10'000} / 1 / 1} - Microseconds{1};

// Reads an RFC 3339 date-time ("2025-01-15T10:30:00Z", "...00.123456+02:00"; lower-case t and z are
// allowed, a space instead of T is not). Up to nine decimals are accepted, which bounds texts that
// are stored as given; those beyond microseconds are truncated. nullopt for anything else, for a
// day or second that does not exist (":60" included), and for years outside 1970..9999.
std::optional<Time> parse_rfc3339(std::string_view text);

enum class TimeDigits { seconds, millis, micros };

// "2025-01-15T10:30:00Z", with as many decimals as asked.
std::string format_rfc3339(Time time, TimeDigits digits = TimeDigits::seconds);

}  // namespace postern
