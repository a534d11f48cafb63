// A claim charges a rate for what it takes, and for nothing else.
#include <gtest/gtest.h>

#include "db/engine/claim.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Spend : public ::testing::Test {
 protected:
  // Ready tasks that take along as many results as this each; a claim brings a few hundred and no
  // more.
  void fill(int count, int results, const std::string& endpoint = {}) {
    std::vector<NewTask> tasks;
    for (int i = 0; i < count; ++i) {
      tasks.push_back(new_task());
      if (endpoint.empty()) continue;
      tasks.back().spec.url.clear();
      tasks.back().spec.endpoint = endpoint;
    }
    insert(api_, tasks);
    lane_ = lane_of(tasks.front());
    owner_.script(
        "UPDATE postern.task SET load_results = true, dependencies = ARRAY(SELECT "
        "gen_random_uuid() FROM generate_series(1, " +
        std::to_string(results) + "))");
  }
  db::ClaimAnswer claim(int free) {
    const db::LaneSlots lane{lane_, free};
    const auto lease = random_uuid();
    return db::claimed_from(scheduler_.exec(db::kClaim, db::claim_params(std::span(&lane, 1), lease,
                                                                         Uuid{}, Seconds{30})),
                            lease, Seconds{30});
  }
  double tokens(const std::string& table) {
    return owner_.exec({"", ("SELECT rate_tokens FROM postern." + table).c_str()}).float8(0, 0);
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  std::int64_t lane_ = 0;
};

TEST_F(Spend, TasksThatAreTooHeavyForOneClaimCostTheirQueueNoToken) {
  owner_.script(
      "INSERT INTO postern.queue (tenant, name, rate_count, rate_period, rate_burst) "
      "VALUES ('default', 'q', 1, '1 day', 10)");
  fill(5, 200);
  auto answer = claim(5);
  EXPECT_EQ(answer.tasks.size(), 2u);
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_EQ(answer.held[0].wait, Milliseconds{1});
  EXPECT_NEAR(tokens("queue"), 8, 0.01);
  EXPECT_EQ(claim(5).tasks.size(), 2u);
  EXPECT_EQ(claim(5).tasks.size(), 1u);
  EXPECT_NEAR(tokens("queue"), 5, 0.01);
}

TEST_F(Spend, NorTheirEndpoint) {
  owner_.script(
      "INSERT INTO postern.endpoint (tenant, name, url, rate_count, rate_period, rate_burst) "
      "VALUES ('default', 'e', 'http://receiver.test/', 1, '1 day', 10)");
  fill(5, 200, "e");
  EXPECT_EQ(claim(5).tasks.size(), 2u);
  EXPECT_NEAR(tokens("endpoint"), 8, 0.01);
}

TEST_F(Spend, WithoutARateNothingIsCharged) {
  owner_.script("INSERT INTO postern.queue (tenant, name) VALUES ('default', 'q')");
  fill(5, 200);
  EXPECT_EQ(claim(5).tasks.size(), 2u);
  EXPECT_EQ(owner_.exec({"", "SELECT FROM postern.queue WHERE rate_tokens IS NULL"}).rows(), 1);
}

}  // namespace
}  // namespace postern::test
