#include "core/time/go_duration.h"

#include <cstdint>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "core/base/text.h"

namespace postern {
namespace {

// The magnitude of the most negative duration. Sums are unsigned and may reach it, because it has
// no positive counterpart in 64 bits.
constexpr std::uint64_t kMaxMagnitude = std::uint64_t{1} << 63;

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};
constexpr Unit kUnits[] = {
    {"ns", 1},          {"us", 1'000},        {"\u00b5s", 1'000},  // micro sign
    {"\u03bcs", 1'000},                                            // Greek mu
    {"ms", 1'000'000},  {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000},
};

// The digits that `text` begins with.
std::string_view leading_digits(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  return text.substr(0, n);
}

// The value of `digits`; nullopt beyond kMaxMagnitude.
std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (value > kMaxMagnitude / 10) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
    if (value > kMaxMagnitude) return std::nullopt;
  }
  return value;
}

// The nanoseconds in "0.<digits>" of a unit, truncated. In floating point and in Go's order of
// operations, so that both give the same nanosecond; digits beyond what 63 bits hold are ignored.
std::uint64_t fraction_of(std::string_view digits, std::uint64_t unit) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::uint64_t value = 0;
  double scale = 1;
  for (const char c : digits) {
    if (value > kMax / 10) break;
    const std::uint64_t longer = value * 10 + static_cast<std::uint64_t>(c - '0');
    if (longer > kMax) break;
    value = longer;
    scale *= 10;
  }
  const double part = static_cast<double>(value) * (static_cast<double>(unit) / scale);
  return static_cast<std::uint64_t>(part);
}

// Removes one decimal and its unit from the front of `text`, and returns it in nanoseconds.
std::optional<std::uint64_t> take_group(std::string_view& text) {
  const std::string_view whole = leading_digits(text);
  text.remove_prefix(whole.size());
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = leading_digits(text);
    text.remove_prefix(fraction.size());
  }
  if (whole.empty() && fraction.empty()) return std::nullopt;

  std::size_t length = 0;
  while (length < text.size() && text[length] != '.' && !is_digit(text[length])) ++length;
  const std::string_view name = text.substr(0, length);
  text.remove_prefix(length);
  const std::optional<std::uint64_t> value = whole_number(whole);
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    if (!value || *value > kMaxMagnitude / unit.nanoseconds) return std::nullopt;
    return *value * unit.nanoseconds + fraction_of(fraction, unit.nanoseconds);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds{0};
  if (text.empty()) return std::nullopt;

  std::uint64_t sum = 0;
  while (!text.empty()) {
    const std::optional<std::uint64_t> group = take_group(text);
    if (!group || *group > kMaxMagnitude - sum) return std::nullopt;
    sum += *group;
  }
  if (!negative && sum == kMaxMagnitude) return std::nullopt;
  // Two's complement: of kMaxMagnitude this makes the most negative number.
  return std::chrono::nanoseconds{static_cast<std::int64_t>(negative ? 0 - sum : sum)};
}

Result<std::chrono::nanoseconds> read_go_duration(std::string_view text, std::string_view field) {
  const std::optional<std::chrono::nanoseconds> duration = parse_go_duration(text);
  if (duration) return *duration;
  return invalid("invalid_duration", std::string(field),
                 fmt::format("{} must be a duration such as \"90s\", \"1h30m\" or \"250ms\" (units "
                             "ns, us, ms, s, m, h), not \"{}\".",
                             field, text.substr(0, 100)));
}

}  // namespace postern
