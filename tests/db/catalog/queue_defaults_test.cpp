#include "db/catalog/queue_defaults.h"

#include <gtest/gtest.h>

#include "tests/support/database.h"

namespace postern::test {
namespace {

TEST(QueueDefaults, QueuesAreMadeOnlyForTenantsThatExist) {
  Database database;
  auto api = database.connect("postern_api");
  EXPECT_FALSE(db::queue_defaults(api, "default", "q"));
  EXPECT_TRUE(db::make_queue(api, "default", "q"));
  EXPECT_TRUE(db::make_queue(api, "default", "q")) << "twice is fine";
  EXPECT_FALSE(db::make_queue(api, "nobody", "q"));
  const auto defaults = *db::queue_defaults(api, "default", "q");
  EXPECT_EQ(defaults.max_retries, 3);
  EXPECT_EQ(defaults.timeout, Seconds{30});
  EXPECT_EQ(defaults.retry_policy, "exponential");
}

}  // namespace
}  // namespace postern::test
