#include "core/model/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace postern {

std::size_t bucket_of(Milliseconds duration) {
  const auto bound = std::lower_bound(kBucketBounds.begin(), kBucketBounds.end(), duration.count());
  return static_cast<std::size_t>(bound - kBucketBounds.begin());
}

std::optional<Milliseconds> quantile(std::span<const std::int64_t> counts, double q) {
  const auto total =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  if (total <= 0) return std::nullopt;
  double left = q * total;
  std::int64_t lower = 0;
  for (std::size_t i = 0; i < counts.size() && i < kBucketBounds.size(); ++i) {
    const auto count = static_cast<double>(counts[i]);
    const auto width = static_cast<double>(kBucketBounds[i] - lower);
    if (count > 0 && left <= count) {
      return Milliseconds{lower + std::llround(width * left / count)};
    }
    left -= count;
    lower = kBucketBounds[i];
  }
  return Milliseconds{lower};
}

}  // namespace postern
