// Endpoints: named targets. A task that names one gets its URL, method and headers from it when it
// is delivered. Here are an endpoint's settings and their limits. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/headers.h"
#include "core/model/histogram.h"
#include "core/model/rate_limit.h"
#include "core/time/time.h"

namespace postern {

// The catch-all is the endpoint with the empty name: it serves the tasks whose endpoint no other
// endpoint's name is a prefix of. URL paths have no empty segment, so it is spelled "*" in them.
constexpr std::string_view kCatchAll = "*";

// A setting of a partial update. Outer nullopt: leave it unchanged; inner nullopt: remove it.
template <class T>
using Clearable = std::optional<std::optional<T>>;

// The input that creates, replaces or changes an endpoint; nullopt: not given.
struct EndpointSettings {
  std::optional<std::string> url;
  std::optional<std::string> method;
  std::optional<Headers> headers;
  std::optional<bool> paused;
  Clearable<Milliseconds> timeout;        // of an attempt; the task's own timeout wins
  Clearable<std::int64_t> max_in_flight;  // concurrent attempts, over all queues
  Clearable<RateLimit> rate_limit;
  std::optional<std::string> secret;  // empty: none of its own, the tenant's secret signs
};

// A stored endpoint, without its secret, which is shown only once, when it is made.
struct Endpoint {
  std::string name;
  std::string url;  // canonical
  std::string method;
  Headers headers;
  std::optional<Milliseconds> timeout;  // nullopt: the queue's
  std::optional<std::int64_t> max_in_flight;
  std::optional<RateLimit> rate_limit;
  bool paused = false;
  bool own_secret = false;
  std::optional<Time> previous_until;  // until then the previous secret signs too
  Time created_at, updated_at;
};

// What came of the attempts at an endpoint lately.
struct HealthReport {
  std::int64_t attempts = 0;
  Seconds window{0};
  std::optional<double> success_rate;  // 0 to 1; nullopt, here and below: no attempts
  std::optional<Milliseconds> p95;
  std::int64_t in_flight = 0;
  std::string breaker;  // closed, throttled, half_open or open
};
// How far back it looks.
inline constexpr Seconds kHealthWindow{3600};
// Of the attempts within kHealthWindow.
HealthReport health_report(std::int64_t attempts, std::int64_t failed, const Histogram& durations,
                           std::string breaker);

// "*" and "" are the catch-all; else ^[a-zA-Z0-9_:-]{1,128}$, or "endpoint_name_invalid".
Result<std::string> endpoint_name(std::string_view spelled, std::string_view field);
// `name` as it is spelled in URL paths: "*" for the catch-all.
std::string_view endpoint_path_name(std::string_view name);

// Checks the settings that are given; fields are spelled as on the native wire. Reasons:
// "url_invalid", "method_invalid", those of check_headers, "timeout_out_of_range" (1 s to 30 min),
// "max_in_flight_out_of_range" (1 to 100,000), "rate_limit_out_of_range", "secret_invalid" (not
// "whsec_" and the base64 of 24 to 64 bytes).
Result<void> check_endpoint(const EndpointSettings& settings);
// "secret_invalid" as above.
Result<void> check_endpoint_secret(std::string_view secret);

}  // namespace postern
