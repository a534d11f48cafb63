#include "core/time/time.h"

#include <cstddef>
#include <cstdint>

#include "core/base/text.h"

namespace postern {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr int kMaxFraction = 9;  // digits: nanoseconds

// Reads fixed pieces from the front of a text; after the first mismatch `ok` stays false.
struct Cursor {
  std::string_view rest;
  bool ok = true;

  bool at_digit() const { return !rest.empty() && is_digit(rest.front()); }

  // A number of exactly `width` digits, at most `max`.
  int number(std::size_t width, int max) {
    if (rest.size() < width) return fail();
    int value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      if (!is_digit(rest[i])) return fail();
      value = value * 10 + (rest[i] - '0');
    }
    if (value > max) return fail();
    rest.remove_prefix(width);
    return value;
  }

  // One of the characters of `allowed`, which is returned.
  char one_of(std::string_view allowed) {
    if (rest.empty() || allowed.find(rest.front()) == allowed.npos) {
      fail();
      return '\0';
    }
    const char c = rest.front();
    rest.remove_prefix(1);
    return c;
  }

  int fail() {
    ok = false;
    rest = {};
    return 0;
  }
};

// Appends a number that is not negative, with zeros in front. By hand, because each answer has
// several times: fmt took four times as long.
void append_digits(std::string& out, std::size_t width, std::int64_t value) {
  const std::size_t end = out.size() + width;
  out.resize(end);
  for (std::size_t i = 1; i <= width; ++i, value /= 10) {
    out[end - i] = static_cast<char>('0' + value % 10);
  }
}

}  // namespace

std::optional<Time> parse_rfc3339(std::string_view text) {
  Cursor in{text};
  const int year = in.number(4, 9999);
  in.one_of("-");
  const int month = in.number(2, 12);
  in.one_of("-");
  const int day = in.number(2, 31);
  in.one_of("Tt");
  const int hour = in.number(2, 23);
  in.one_of(":");
  const int minute = in.number(2, 59);
  in.one_of(":");
  const int second = in.number(2, 59);

  std::int64_t micros = 0;
  if (in.ok && in.rest.starts_with('.')) {
    in.one_of(".");
    if (!in.at_digit()) return std::nullopt;
    std::int64_t unit = 100'000;
    for (int digits = 0; digits < kMaxFraction && in.at_digit(); ++digits, unit /= 10) {
      micros += (in.rest.front() - '0') * unit;
      in.rest.remove_prefix(1);
    }
  }

  minutes offset{0};
  const char zone = in.one_of("Zz+-");
  if (in.ok && zone != 'Z' && zone != 'z') {
    const int offset_hours = in.number(2, 23);
    in.one_of(":");
    offset = hours{offset_hours} + minutes{in.number(2, 59)};
    if (zone == '-') offset = -offset;
  }
  if (!in.ok || !in.rest.empty()) return std::nullopt;

  const year_month_day date{std::chrono::year{year}, std::chrono::month{unsigned(month)},
                            std::chrono::day{unsigned(day)}};
  if (!date.ok()) return std::nullopt;
  const Time time = sys_days{date} + hours{hour} + minutes{minute} + Seconds{second} +
                    Microseconds{micros} - offset;
  if (time < kFirstTime || time > kLastTime) return std::nullopt;
  return time;
}

std::string format_rfc3339(Time time, TimeDigits digits) {
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const std::int64_t of_day = (time - day).count();
  const std::int64_t micros = of_day % 1'000'000;
  const std::int64_t seconds = of_day / 1'000'000;

  std::string out;
  out.reserve(sizeof("2026-01-01T00:00:00.000000Z"));
  const auto piece = [&out](char separator, std::size_t width, std::int64_t value) {
    out += separator;
    append_digits(out, width, value);
  };
  if (const int year = int(date.year()); year >= 0 && year <= 9999) {
    append_digits(out, 4, year);
  } else {
    out = std::to_string(year);
  }
  piece('-', 2, unsigned(date.month()));
  piece('-', 2, unsigned(date.day()));
  piece('T', 2, seconds / 3600);
  piece(':', 2, seconds / 60 % 60);
  piece(':', 2, seconds % 60);
  switch (digits) {
    case TimeDigits::seconds: break;
    case TimeDigits::millis: piece('.', 3, micros / 1000); break;
    case TimeDigits::micros: piece('.', 6, micros); break;
  }
  out += 'Z';
  return out;
}

}  // namespace postern
