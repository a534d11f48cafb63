#include "fcgi/server/body_budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace postern {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

TEST(BodyBudget, LeavesRoomForOthersAndForSmallOnes) {
  BodyBudget budget(16 * kMiB);
  const auto a = budget.enter("a", 12 * kMiB);  // its three quarters
  EXPECT_TRUE(a);
  EXPECT_FALSE(budget.enter("a", 2 * kMiB));
  const auto b = budget.enter("b", 2 * kMiB);
  EXPECT_TRUE(b);
  EXPECT_FALSE(budget.enter("c", kMiB)) << "the last eighth is for small ones";
  std::vector<BodyBudget::Pass> small;
  for (;;) {
    auto pass = budget.enter("a", BodyBudget::kSmall);
    if (!pass) break;
    small.push_back(std::move(pass));
  }
  EXPECT_EQ(small.size(), 2 * kMiB / BodyBudget::kSmall);
  EXPECT_EQ(budget.in_flight(), 16 * kMiB);
}

TEST(BodyBudget, GivesRoomBack) {
  BodyBudget budget(16 * kMiB);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(budget.enter("a", 12 * kMiB));
    EXPECT_TRUE(budget.enter("a", 1));
  }
  EXPECT_EQ(budget.in_flight(), 0u);
}

// A body that is larger than the whole is let in alone: max_body may be set higher than the budget.
TEST(BodyBudget, TakesTheLargestAlone) {
  BodyBudget budget(kMiB);
  const auto pass = budget.enter("a", 64 * kMiB);
  EXPECT_TRUE(pass);
  EXPECT_FALSE(budget.enter("a", 64 * kMiB));
  EXPECT_TRUE(budget.enter("b", 1024));
}

}  // namespace
}  // namespace postern
