// Histograms of durations, and quantiles from them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/time/time.h"

namespace postern {

// The upper bounds of the buckets in milliseconds, the defaults of Prometheus's client libraries.
// What took longer than the last is in one more.
constexpr std::array<std::int64_t, 14> kBucketBounds{5,   10,  25,   50,   75,   100,  250,
                                                     500, 750, 1000, 2500, 5000, 7500, 10000};
using Histogram = std::array<std::int64_t, kBucketBounds.size() + 1>;

// The index of the bucket that counts `duration`.
std::size_t bucket_of(Milliseconds duration);

// The quantile `q` (0 to 1) of the counted durations, interpolated linearly within a bucket; the
// lower bound when it falls into the last bucket. nullopt: nothing was counted.
std::optional<Milliseconds> quantile(std::span<const std::int64_t> counts, double q);

}  // namespace postern
