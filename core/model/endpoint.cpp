#include "core/model/endpoint.h"

#include <utility>

#include <fmt/format.h>

#include "core/base/url.h"
#include "core/model/validation.h"
#include "core/security/signing.h"

namespace postern {
namespace {

constexpr std::int64_t kMaxInFlight = 100'000;

Result<void> check_max_in_flight(std::int64_t value) {
  if (value >= 1 && value <= kMaxInFlight) return {};
  return invalid("max_in_flight_out_of_range", "max_in_flight",
                 fmt::format("max_in_flight must be 1 to {}; it is {}.", kMaxInFlight, value));
}

}  // namespace

HealthReport health_report(std::int64_t attempts, std::int64_t failed, const Histogram& durations,
                           std::string breaker) {
  HealthReport report;
  report.attempts = attempts;
  report.window = kHealthWindow;
  if (attempts > 0) {
    report.success_rate = static_cast<double>(attempts - failed) / static_cast<double>(attempts);
  }
  report.p95 = quantile(durations, 0.95);
  report.breaker = std::move(breaker);
  return report;
}

Result<std::string> endpoint_name(std::string_view spelled, std::string_view field) {
  if (spelled.empty() || spelled == kCatchAll) return std::string();
  if (const auto ok = check_name(spelled, field, "endpoint_name_invalid"); !ok) return ok.error();
  return std::string(spelled);
}

std::string_view endpoint_path_name(std::string_view name) {
  return name.empty() ? kCatchAll : name;
}

Result<void> check_endpoint(const EndpointSettings& settings) {
  if (settings.url) {
    if (const auto url = parse_url(*settings.url, "url"); !url) return url.error();
  }
  if (settings.method) {
    if (const auto ok = check_method(*settings.method, "method"); !ok) return ok;
  }
  if (settings.headers) {
    if (const auto ok = check_headers(*settings.headers, "headers"); !ok) return ok;
  }
  if (const auto& timeout = settings.timeout; timeout && *timeout) {
    if (const auto ok = check_timeout(**timeout, "timeout_seconds"); !ok) return ok;
  }
  if (const auto& most = settings.max_in_flight; most && *most) {
    if (const auto ok = check_max_in_flight(**most); !ok) return ok;
  }
  if (const auto& limit = settings.rate_limit; limit && *limit) {
    if (const auto ok = check_rate_limit(**limit, "rate_limit"); !ok) return ok;
  }
  if (settings.secret && !settings.secret->empty()) return check_endpoint_secret(*settings.secret);
  return {};
}

Result<void> check_endpoint_secret(std::string_view secret) {
  if (webhook_secret_key(secret)) return {};
  return invalid("secret_invalid", "secret",
                 "secret must be \"whsec_\" and the base64 of 24 to 64 bytes.");
}

}  // namespace postern
