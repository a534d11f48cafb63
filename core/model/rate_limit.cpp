#include "core/model/rate_limit.h"

#include <tuple>

#include <fmt/format.h>

namespace postern {
namespace {

constexpr std::int64_t kMaxCount = 1'000'000;
constexpr std::int64_t kMaxPeriod = 86'400;

}  // namespace

Result<void> check_rate_limit(const RateLimit& limit, std::string_view field) {
  for (const auto& [part, value, most] :
       {std::tuple{"count", limit.count, kMaxCount},
        std::tuple{"period_seconds", std::int64_t{limit.period.count()}, kMaxPeriod},
        std::tuple{"burst", limit.burst.value_or(1), kMaxCount}}) {
    if (value >= 1 && value <= most) continue;
    auto name = fmt::format("{}.{}", field, part);
    auto message = fmt::format("{} must be 1 to {}; it is {}.", name, most, value);
    return invalid("rate_limit_out_of_range", std::move(name), std::move(message));
  }
  return {};
}

}  // namespace postern
