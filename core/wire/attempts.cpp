#include "core/wire/attempts.h"

#include <charconv>

#include "core/base/json.h"
#include "core/base/json_writer.h"

namespace postern {

std::string attempt_json(const Attempt& attempt) {
  JsonWriter json;
  json.begin_object();
  json.member("number", attempt.number);
  json.member("status", attempt.status);
  json.key("response_code");
  if (attempt.response_code) {
    json.number(*attempt.response_code);
  } else {
    json.null();
  }
  if (!attempt.error.empty()) json.key("error").raw(json_quote(attempt.error, true));
  json.member("executed_at", format_rfc3339(attempt.executed_at, TimeDigits::millis));
  json.member("duration_ms", attempt.duration.count());
  if (!attempt.response.empty()) json.key("response").raw(json_quote(attempt.response, true));
  json.end_object();
  return json.take();
}

namespace {

std::string_view member_of(std::string_view attempt, std::string_view name) {
  const auto members = parse_json_object(attempt);
  if (!members) return {};
  for (const auto& [key, raw] : *members) {
    if (key == name) return raw;
  }
  return {};
}

std::optional<Time> time_of(std::string_view attempt) {
  const auto raw = member_of(attempt, "executed_at");
  if (raw.empty()) return std::nullopt;
  const auto text = json_string(raw, "");
  return text ? parse_rfc3339(*text) : std::nullopt;
}

}  // namespace

AttemptSpan attempt_times(std::string_view attempts) {
  const auto all = json_elements(attempts);
  if (all.empty()) return {};
  return {time_of(all.front()), time_of(all.back())};
}

int last_attempt(std::string_view attempts) {
  const auto all = json_elements(attempts);
  int number = 0;
  if (all.empty()) return number;
  const auto raw = member_of(all.back(), "number");
  std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return number;
}

}  // namespace postern
