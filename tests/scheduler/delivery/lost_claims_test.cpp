#include "scheduler/delivery/lost_claims.h"

#include <gtest/gtest.h>

#include "db/pg/session.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

TEST(LostClaims, AreLookedForUntilTheyCannotAppearAnyMore) {
  LostClaims claims;
  EXPECT_TRUE(claims.leases().empty());
  const auto first = random_uuid(), second = random_uuid();
  const Monotonic lost{1h};
  claims.add(first, lost);
  claims.add(second, lost + 10s);
  claims.looked(lost + 5s);
  claims.looked(lost + db::kSchedulerStatementTimeout);
  EXPECT_EQ(claims.leases().size(), 2U) << "a commit may still be under way";
  claims.looked(lost + 30s);
  EXPECT_EQ(claims.leases(), std::vector{second});
  claims.looked(lost + 40s);
  EXPECT_TRUE(claims.leases().empty());
}

}  // namespace
}  // namespace postern::scheduler
