#include "core/time/isoformat.h"

#include <cstddef>
#include <utility>

namespace postern {

std::string format_isoformat(Time time) {
  const bool whole = time == std::chrono::floor<Seconds>(time);
  std::string text = format_rfc3339(time, whole ? TimeDigits::seconds : TimeDigits::micros);
  text.replace(text.size() - 1, 1, "+00:00");
  return text;
}

std::optional<Time> parse_isoformat(std::string text) {
  constexpr std::size_t kDay = 10, kMinutes = 16;  // "2026-04-01", "2026-04-01T12:00"
  if (text.size() < kMinutes) return std::nullopt;
  if (text[kDay] == ' ') text[kDay] = 'T';
  if (text.size() == kMinutes || text[kMinutes] != ':') text.insert(kMinutes, ":00");
  const std::size_t sign = text.find_first_of("+-", kMinutes);
  if (sign == text.npos) {
    if (!text.ends_with('Z') && !text.ends_with('z')) text += 'Z';
  } else if (text.size() - sign == 5) {  // "+0000"
    text.insert(sign + 3, ":");
  } else if (text.size() - sign == 3) {  // "+00"
    text += ":00";
  }
  return parse_rfc3339(text);
}

}  // namespace postern
