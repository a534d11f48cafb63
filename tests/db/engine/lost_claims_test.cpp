#include "db/engine/lost_claims.h"

#include <gtest/gtest.h>

#include "db/engine/claim.h"
#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class LostClaimsTest : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

// The connection of a claim breaks while its commit is under way: a look finds nothing at first.
TEST_F(LostClaimsTest, AreFoundOnceTheirCommitIsThrough) {
  auto api = database_.connect("postern_api");
  insert(api, {new_task(), new_task(), new_task()});
  const auto self = random_uuid(), lease = random_uuid(), other_lease = random_uuid();
  const auto claim_one = [&](db::PgConnection& connection, const Uuid& under) {
    const db::LaneSlots lane{lane_of(new_task()), 1};
    connection.exec(db::kClaim, db::claim_params(std::span(&lane, 1), under, self, Seconds{30}));
  };
  const auto look = [&](const Uuid& instance) {
    return db::lost_claims_from(
        scheduler_.exec(db::kLostClaims, db::lost_claims_params(instance, std::span(&lease, 1))));
  };
  auto claims = database_.connect("postern_scheduler");
  db::Transaction committing(claims);
  claim_one(claims, lease);
  claim_one(scheduler_, other_lease);  // answered, and in flight now
  EXPECT_TRUE(look(self).empty()) << "its commit is under way";
  committing.commit();
  const auto found = look(self);
  ASSERT_EQ(found.size(), 1U) << "what is in flight is none of it";
  EXPECT_EQ(found[0].lease, lease);
  EXPECT_TRUE(look(random_uuid()).empty());

  db::Settlement back{};
  back.id = found[0].id;
  back.lease = lease;
  back.state = State::ready;
  scheduler_.exec(db::kSettle, db::settle_params(self, std::span(&back, 1)));
  EXPECT_TRUE(look(self).empty());
  EXPECT_EQ(read(api, back.id)->attempt, 0);
}

}  // namespace
}  // namespace postern::test
