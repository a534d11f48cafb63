// The rate limit of a queue or an endpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

// At most `count` attempts in any `period`; with `burst`, up to that many at once after a pause.
struct RateLimit {
  std::int64_t count = 0;
  Seconds period{1};
  std::optional<std::int64_t> burst;

  bool operator==(const RateLimit&) const = default;
};

// Checks the ranges: count and burst 1..1,000,000, period 1 s..1 day. Reason:
// "rate_limit_out_of_range" for `field`.count, .period_seconds or .burst.
Result<void> check_rate_limit(const RateLimit& limit, std::string_view field);

}  // namespace postern
