// A named target: tasks that name it find where and how they go when they are delivered. What may
// be said of one, and which limits that must keep. Pure.
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

// The empty name is the catch-all, for every task whose endpoint nobody else's name begins. Paths
// have no empty segment, so it is spelled like this in them.
constexpr std::string_view kCatchAll = "*";

// nullopt: nothing was said; what holds an nullopt: there shall be none.
template <class T>
using Clearable = std::optional<std::optional<T>>;

// What somebody says of an endpoint, to make, replace or change it.
struct EndpointSettings {
  std::optional<std::string> url;
  std::optional<std::string> method;
  std::optional<Headers> headers;
  std::optional<bool> paused;
  Clearable<Milliseconds> timeout;        // of an attempt; a task's own wins
  Clearable<std::int64_t> max_in_flight;  // attempts at the same time, over all queues
  Clearable<RateLimit> rate_limit;
  std::optional<std::string> secret;  // empty: none of its own, the tenant's signs
};

// An endpoint as it stands. Its secret is not in here: it is told once, when it is made.
struct Endpoint {
  std::string name;
  std::string url;  // canonical
  std::string method;
  Headers headers;
  std::optional<Milliseconds> timeout;  // none: the queue's
  std::optional<std::int64_t> max_in_flight;
  std::optional<RateLimit> rate_limit;
  bool paused = false;
  bool own_secret = false;
  std::optional<Time> previous_until;  // until then the secret before signs too
  Time created_at, updated_at;
};

// What came of the attempts at an endpoint lately.
struct HealthReport {
  std::int64_t attempts = 0;
  Seconds window{0};
  std::optional<double> success_rate;  // 0 to 1; nullopt, here and below: no attempts
  std::optional<Milliseconds> p95;
  std::string breaker;  // closed, throttled, half_open or open
};
// How far back it looks.
inline constexpr Seconds kHealthWindow{3600};
// Of the attempts within kHealthWindow.
HealthReport health_report(std::int64_t attempts, std::int64_t failed, const Histogram& durations,
                           std::string breaker);

// "*" and "" are the catch-all; else ^[a-zA-Z0-9_:-]{1,128}$, or "endpoint_name_invalid".
Result<std::string> endpoint_name(std::string_view spelled, std::string_view field);
// As it stands in a path.
std::string_view endpoint_path_name(std::string_view name);

// Checks what was said; fields are spelled as on the native wire. Reasons: "url_invalid",
// "method_invalid", those of check_headers, "timeout_out_of_range" (1 s to 30 min),
// "max_in_flight_out_of_range" (1 to 100,000), "rate_limit_out_of_range", "secret_invalid" (not
// "whsec_" and the base64 of 24 to 64 bytes).
Result<void> check_endpoint(const EndpointSettings& settings);
// "secret_invalid" as above.
Result<void> check_endpoint_secret(std::string_view secret);

}  // namespace postern
