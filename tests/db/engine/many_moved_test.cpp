// A cell that many tenants have left: what others do reads no more than where few have.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "db/catalog/longest_due.h"
#include "db/catalog/placement.h"
#include "db/engine/claim.h"
#include "db/engine/garbage.h"
#include "db/engine/occurrences.h"
#include "db/engine/orphans.h"
#include "db/engine/routing.h"
#include "db/engine/sequels.h"
#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

constexpr char kFenceAll[] =
    "DO $$ DECLARE t text; BEGIN FOR t IN SELECT name FROM postern.fenced_tables() "
    "LOOP ASSERT postern.move_fence(t, false); END LOOP; END $$";

// How many have left, while one is about to, and one is about to arrive.
class ManyMoved : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    owner_.script(fmt::format(
        "INSERT INTO postern.tenant (name) SELECT 'n' || n FROM generate_series(1, 10000) n;"
        "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at) "
        "SELECT 'm' || n, 'moved', 'b', 'https://b.test', now() - interval '1 hour' "
        "FROM generate_series(1, {}) n;"
        "INSERT INTO postern.move (tenant, id, source, other, step) "
        "VALUES ('n1', gen_random_uuid(), true, 'b', 'copying');"
        "UPDATE postern.tenant SET state = 'arriving' WHERE name = 'n2';"
        "INSERT INTO postern.move (tenant, id, source, other, step) "
        "VALUES ('n2', gen_random_uuid(), false, 'b', 'copying');"
        "ANALYZE postern.tenant",
        GetParam()));
    owner_.script(kFenceAll);
  }

  std::int64_t number(const std::string& sql) {
    return owner_.exec({"", sql.c_str()}).integer(0, 0);
  }
  // What `work` reads of where tenants are is at most this, and by index but for the one move.
  template <class Work>
  void reads_at_most(std::int64_t blocks, db::PgConnection& connection, Work work) {
    const auto read = reads_of(connection, "postern.tenant, postern.move", work);
    EXPECT_LE(read.scanned, 2);
    EXPECT_LE(read.blocks, blocks);
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

INSTANTIATE_TEST_SUITE_P(Moved, ManyMoved, ::testing::Values(2, 10'000),
                         [](const auto& each) { return std::to_string(each.param); });

TEST_P(ManyMoved, ACreationLooksOnceForEachTask) {
  std::vector<NewTask> batch;
  for (int i = 0; i < 50; ++i) batch.push_back(new_task());
  insert(api_, {new_task()});
  reads_at_most(4 * 50, api_, [&] { insert(api_, batch); });
}

TEST_P(ManyMoved, AClaimAndASettlementLookOnce) {
  std::vector<NewTask> batch;
  for (int i = 0; i < 50; ++i) batch.push_back(new_task());
  insert(api_, batch);
  std::vector<db::Claimed> claimed;
  reads_at_most(8, scheduler_, [&] { claimed = claim(scheduler_, 50); });
  ASSERT_EQ(claimed.size(), 50U);
  std::vector<db::Settlement> ends;
  for (const auto& task : claimed) ends.push_back(db::settlement(task, State::completed));
  reads_at_most(8, scheduler_,
                [&] { scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, ends)); });
  EXPECT_EQ(number("SELECT count(*) FROM postern.task_finished"), 50);
}

TEST_P(ManyMoved, DutiesLookOnce) {
  reads_at_most(8, scheduler_, [&] { scheduler_.exec(db::kSequels, db::sequels_params()); });
  reads_at_most(8, scheduler_,
                [&] { scheduler_.exec(db::kUnrouted, db::unrouted_params("", 100)); });
  reads_at_most(8, scheduler_, [&] {
    scheduler_.exec(db::kDueSchedules, db::due_schedules_params({"", 100, 0}));
  });
  reads_at_most(8, scheduler_,
                [&] { scheduler_.exec(db::kOrphans, db::orphans_params({}, Uuid{})); });
  reads_at_most(8, scheduler_,
                [&] { scheduler_.exec(db::kExpireKeys, db::expire_keys_params(100)); });
  reads_at_most(8, api_, [&] { db::longest_due(api_, ""); });
}

TEST_P(ManyMoved, AHandlersLookReadsWhatHasChanged) {
  std::optional<Time> since;
  reads_at_most(16, api_, [&] { since = db::placement_changes(api_, std::nullopt).at; });
  owner_.script(
      "UPDATE postern.tenant SET state = 'moved', moved_to = 'b', moved_url = 'https://b.test', "
      "moved_at = now() WHERE name IN ('n2', 'n3'); "
      "UPDATE postern.tenant SET state = 'draining' WHERE name = 'n4'");
  db::PlacementChanges changes;
  reads_at_most(16, api_, [&] { changes = db::placement_changes(api_, since); });
  EXPECT_EQ(changes.tenants.size(), 3U);
  EXPECT_TRUE(changes.any && changes.all);
  reads_at_most(5, api_, [&] { EXPECT_TRUE(db::placement(api_, "m2")); });
  reads_at_most(5, api_, [&] { EXPECT_FALSE(db::placement(api_, "n5")); });
}

TEST_P(ManyMoved, TheTriggersNameThoseThatLeaveAlone) {
  EXPECT_LE(
      number("SELECT max(length(pg_get_triggerdef(t.oid))) FROM pg_trigger t "
             "JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'postern'::regnamespace"),
      1'500);
  // And who has left is refused by name.
  for (const char* tenant : {"m1", "m2"}) {
    auto late = new_task();
    late.spec.tenant = tenant;
    try {
      insert(api_, {late});
      ADD_FAILURE() << tenant;
    } catch (const db::PgError& error) {
      EXPECT_EQ(error.sqlstate(), "PM002");
    }
  }
  insert(api_, {new_task()});
}

// The triggers are gone when nobody has left, so that nobody pays.
TEST(NoneMoved, ThereIsNoTrigger) {
  Database database;
  auto owner = database.connect();
  const db::Statement fences{"", "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'fence%'"};
  owner.script(kFenceAll);
  EXPECT_EQ(owner.exec(fences).integer(0, 0), 0);
  owner.script(
      "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at) "
      "VALUES ('acme', 'moved', 'b', 'https://b.test', now())");
  owner.script(kFenceAll);
  EXPECT_EQ(owner.exec(fences).integer(0, 0), 7);
  owner.script("UPDATE postern.tenant SET state = 'arriving'");
  owner.script("SELECT postern.move_fence(name, true) FROM postern.fenced_tables()");
  EXPECT_EQ(owner.exec(fences).integer(0, 0), 0);
}

}  // namespace
}  // namespace postern::test
