#include "core/wire/attempts.h"

#include "core/json_writer.h"

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

}  // namespace postern
