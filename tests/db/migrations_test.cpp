#include "db/migrations.h"

#include <gtest/gtest.h>

#include <thread>

#include "db/deliveries.h"
#include "db/tasks.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

class EmptyDatabase : public ::testing::Test {
 protected:
  EmptyDatabase() : name_(make_empty_database()) {}
  ~EmptyDatabase() override { drop_database(name_); }
  db::PgConnection connect() const { return db::PgConnection::connect(server_options(name_)); }
  std::string name_;
};

using Migrate = EmptyDatabase;

TEST_F(Migrate, AppliesEverythingOnceAndThenNothing) {
  auto connection = connect();
  EXPECT_EQ(db::migrate(connection).size(), db::embedded_migrations().size() - 1);
  EXPECT_TRUE(db::migrate(connection).empty());
  for (const auto& migration : db::migration_status(connection)) {
    EXPECT_TRUE(migration.applied) << migration.name;
  }
}

TEST_F(Migrate, TwentyAtOnceAgree) {
  std::vector<std::thread> threads;
  std::atomic<int> applied{0};
  std::atomic<int> failed{0};
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&] {
      try {
        auto connection = connect();
        applied += static_cast<int>(db::migrate(connection).size());
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
        ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(applied, static_cast<int>(db::embedded_migrations().size()) - 1);
}

TEST_F(Migrate, TakesTheTasksOfTheFirstSchemaAlong) {
  auto connection = connect();
  db::migrate(connection, 1);
  connection.script(R"sql(
    INSERT INTO postern.queue (tenant, name) VALUES ('default', 'old');
    INSERT INTO postern.task (id, tenant, queue, url, lane, state)
    VALUES (postern.new_task_id(0::smallint), 'default', 'old', 'http://receiver.test/', 7, 'ready');
    INSERT INTO postern.task_finished (id, tenant, queue, url, lane, state, finished_at)
    VALUES (postern.new_task_id(0::smallint), 'default', 'old', 'http://receiver.test/', 7, 'completed', now()))sql");
  EXPECT_EQ(db::migrate(connection).size(), db::embedded_migrations().size() - 2);
  db::TaskFilter old;
  old.queue = "old";
  const auto page = db::list_tasks(connection, "default", old);
  ASSERT_EQ(page.tasks.size(), 2U);
  const std::vector<db::LaneSlots> lanes{{7, 5}};
  const auto lease = random_uuid();
  const auto claimed = db::claimed_from(
      connection.exec(db::kClaim, db::claim_params(0, lanes, lease, Uuid{}, Seconds{30})), lease,
      Seconds{30});
  ASSERT_EQ(claimed.tasks.size(), 1U);
  EXPECT_EQ(claimed.tasks[0].spec.timeout, Milliseconds{30'000});
}

TEST_F(Migrate, AFailureLeavesNothingBehind) {
  auto connection = connect();
  connection.script("CREATE SCHEMA postern; CREATE TABLE postern.tenant (name text)");
  EXPECT_THROW(db::migrate(connection), db::PgError);
  EXPECT_FALSE(
      connection.exec({"", "SELECT to_regclass('postern.task') IS NOT NULL"}).boolean(0, 0));
}

using Misfit = EmptyDatabase;

TEST_F(Misfit, AnEmptyDatabaseIsToldApart) {
  auto connection = connect();
  EXPECT_NE(db::schema_misfit(connection)->find("postern migrate"), std::string::npos);
}

TEST_F(Misfit, FitsAfterMigrating) {
  auto connection = connect();
  db::migrate(connection);
  EXPECT_EQ(db::schema_misfit(connection), std::nullopt);
}

TEST_F(Misfit, ANewerSchemaIsFineUntilItSaysWeAreTooOld) {
  auto connection = connect();
  db::migrate(connection);
  connection.exec({"", "INSERT INTO postern.migration VALUES (9000, 'tolerant', 1)"});
  EXPECT_EQ(db::schema_misfit(connection), std::nullopt);
  connection.exec({"", "INSERT INTO postern.migration VALUES (9001, 'strict', 9001)"});
  EXPECT_NE(db::schema_misfit(connection)->find("this program"), std::string::npos);
}

TEST_F(Misfit, AnOlderSchemaIsRefused) {
  auto connection = connect();
  db::migrate(connection);
  connection.exec({"", "DELETE FROM postern.migration"});
  EXPECT_NE(db::schema_misfit(connection)->find("older"), std::string::npos);
}

TEST(Durability, NamesTheSettingThatIsOff) {
  Database database;
  auto connection = database.connect();
  EXPECT_EQ(db::unsafe_durability(connection), std::nullopt);
  connection.script("SET synchronous_commit = off");
  EXPECT_NE(db::unsafe_durability(connection)->find("synchronous_commit"), std::string::npos);
}

}  // namespace
}  // namespace postern::test
