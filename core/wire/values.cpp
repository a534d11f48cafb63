#include "core/wire/values.h"

namespace postern::wire {

void write_time(JsonWriter& out, Time time) { out.string(format_rfc3339(time)); }

void write_seconds(JsonWriter& out, Milliseconds time) {
  if (time.count() % 1000 == 0) {
    out.number(std::int64_t{time.count() / 1000});
  } else {
    out.number(static_cast<double>(time.count()) / 1000);
  }
}

void write_headers(JsonWriter& out, const Headers& headers) {
  out.begin_object();
  for (const Header& header : headers) out.member(header.name, header.value);
  out.end_object();
}

void write_texts(JsonWriter& out, const std::vector<std::string>& texts) {
  out.begin_array();
  for (const auto& text : texts) out.string(text);
  out.end_array();
}

void write_retry_policy(JsonWriter& out, const std::string& policy) {
  policy.starts_with('{') ? out.raw(policy) : out.string(policy);
}

void write_rate_limit(JsonWriter& out, const RateLimit& limit) {
  out.begin_object().member("count", limit.count);
  out.member("period_seconds", std::int64_t{limit.period.count()});
  if (limit.burst) out.member("burst", *limit.burst);
  out.end_object();
}

}  // namespace postern::wire
