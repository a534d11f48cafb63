#include "core/model/histogram.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Histogram, IncludesTheUpperBoundsInTheirBuckets) {
  const std::pair<int, std::size_t> cases[] = {{0, 0},       {5, 0},       {6, 1},
                                               {10, 1},      {11, 2},      {9'999, 13},
                                               {10'000, 13}, {10'001, 14}, {99'999'999, 14}};
  for (const auto& [ms, bucket] : cases) EXPECT_EQ(bucket_of(Milliseconds{ms}), bucket) << ms;
}

TEST(Histogram, ReadsQuantiles) {
  EXPECT_EQ(quantile(Histogram{}, 0.95), std::nullopt);
  Histogram counts{};
  counts[3] = 100;  // 25 to 50 ms
  EXPECT_EQ(quantile(counts, 0.5), Milliseconds{38});
  EXPECT_EQ(quantile(counts, 1), Milliseconds{50});
  counts[11] = 100;  // 2.5 to 5 s
  EXPECT_EQ(quantile(counts, 0.25), Milliseconds{38});
  EXPECT_EQ(quantile(counts, 0.5), Milliseconds{50});
  EXPECT_EQ(quantile(counts, 0.95), Milliseconds{4'750});
  counts[14] = 10'000;
  EXPECT_EQ(quantile(counts, 0.95), Milliseconds{10'000}) << "longer than can be told";
}

}  // namespace
}  // namespace postern
