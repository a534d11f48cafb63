#include "core/model/queue.h"

#include <utility>

#include <fmt/format.h>

#include "core/model/retry_policy.h"
#include "core/model/validation.h"

namespace postern {
namespace {

constexpr std::chrono::seconds kShortest{1};
constexpr std::chrono::hours kLongestRuntime{24};
constexpr std::int64_t kMaxTries = 10'000;
constexpr std::int64_t kMaxConcurrent = 10'000;

Error out_of_range(std::string_view field, std::string_view expected) {
  return invalid(fmt::format("{}_out_of_range", field), std::string(field),
                 fmt::format("{} must be {}.", field, expected));
}

Result<void> check_retention(std::string_view word, std::string_view field) {
  if (word == "short" || word == "standard") return {};
  return invalid("retention_invalid", std::string(field),
                 fmt::format("{} must be short or standard.", field));
}

Result<void> check_limits(const QueueSettings& settings) {
  const auto is_duration = [](std::chrono::nanoseconds value) {
    return value.count() == 0 || value >= kShortest;
  };
  if (!is_duration(settings.max_age)) {
    return out_of_range("max_age", "at least 1s, or 0s, which means for ever");
  }
  if (!is_duration(settings.max_runtime) || settings.max_runtime > kLongestRuntime) {
    return out_of_range("max_runtime", "1s to 24h, or 0s, which means no limit");
  }
  if (settings.max_entries < 0) {
    return out_of_range("max_entries", "0, which means no bound, or more");
  }
  const auto concurrent = settings.max_concurrent.value_or(1);
  if (concurrent < 1 || concurrent > kMaxConcurrent) {
    return out_of_range("max_concurrent", fmt::format("1 to {}, or null", kMaxConcurrent));
  }
  if (settings.rate_limit) return check_rate_limit(*settings.rate_limit, "rate_limit");
  return {};
}

}  // namespace

Result<void> check_queue(const QueueSettings& settings) {
  if (const auto ok = check_limits(settings); !ok) return ok;
  for (const auto& [word, field] : {std::pair{&settings.keep_completed, "retention.completed"},
                                    std::pair{&settings.keep_failed, "retention.failed"},
                                    std::pair{&settings.keep_cancelled, "retention.cancelled"}}) {
    if (const auto ok = check_retention(*word, field); !ok) return ok;
  }
  const auto tries = settings.max_tries.value_or(1);
  if (tries < 1 || tries > kMaxTries) {
    return out_of_range("max_tries", fmt::format("1 to {}, or null", kMaxTries));
  }
  if (const auto ok = check_max_retries(settings.max_retries, "max_retries"); !ok) return ok;
  if (const auto ok = RetryPolicy::parse(settings.retry_policy); !ok) return ok.error();
  if (const auto ok = check_timeout(settings.timeout, "timeout_seconds"); !ok) return ok;
  if (settings.endpoint) return check_name(*settings.endpoint, "endpoint", "endpoint_invalid");
  return {};
}

Result<void> check_not_reserved(std::string_view queue, std::string_view field) {
  if (queue != kSandboxQueue) return {};
  return invalid("queue_name_reserved", std::string(field),
                 fmt::format("The queue {} is that of sandbox keys: it is made by itself, stays "
                             "paused, and takes no other tasks. Choose another name.",
                             queue));
}

}  // namespace postern
