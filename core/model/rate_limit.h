// How often something may be done: of a queue or of an endpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

// `count` in any `period`; with `burst`, so many at once after a pause.
struct RateLimit {
  std::int64_t count = 0;
  Seconds period{1};
  std::optional<std::int64_t> burst;

  bool operator==(const RateLimit&) const = default;
};

// count and burst 1..1,000,000, period 1 s..1 day; else "rate_limit_out_of_range", and the field is
// `field`.count, .period_seconds or .burst.
Result<void> check_rate_limit(const RateLimit& limit, std::string_view field);

}  // namespace postern
