#include "db/schema/migrations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "core/model/dialect.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

using State = db::FileStatus::State;

class EmptyDatabase : public ::testing::Test {
 protected:
  EmptyDatabase() : name_(make_empty_database()) {}
  db::PgConnection connect() const { return db::PgConnection::connect(server_options(name_)); }
  std::string name_;
};

// What this program carries, with one file more or another text.
db::Schema with(const std::string& name, const std::string& sql, int later = 0) {
  db::Schema schema = db::embedded_schema();
  schema.release += later;
  const auto found = std::find_if(schema.files.begin(), schema.files.end(),
                                  [&](const auto& file) { return file.name == name; });
  if (found != schema.files.end()) {
    found->sql = sql;
  } else {
    schema.files.push_back({name, sql});
  }
  return schema;
}

std::string extra_function(int answer, const std::string& head = "") {
  return head +
         "CREATE OR REPLACE FUNCTION postern.extra() RETURNS integer LANGUAGE sql AS $$ SELECT " +
         std::to_string(answer) + " $$;";
}

std::int64_t extra(db::PgConnection& connection) {
  return connection.exec({"", "SELECT postern.extra()"}).integer(0, 0);
}

std::string catalog_of(db::PgConnection& connection) {
  return std::string(connection
                         .exec({"", R"sql(
    SELECT string_agg(line, E'\n' ORDER BY line) FROM (
      SELECT name || sha256 || release || min_program || applied_at AS line FROM postern.applied
      UNION ALL SELECT oid::regprocedure || prosrc || coalesce(proacl::text, '') || xmin FROM pg_proc
                 WHERE pronamespace = 'postern'::regnamespace
      UNION ALL SELECT relname || coalesce(relacl::text, '') || xmin FROM pg_class
                 WHERE relnamespace = 'postern'::regnamespace) catalog)sql"})
                         .text(0, 0));
}

using Migrate = EmptyDatabase;

TEST_F(Migrate, AppliesEverythingOnceAndThenNothing) {
  auto connection = connect();
  for (const auto& file : db::schema_status(connection)) {
    EXPECT_EQ(file.state, State::missing) << file.name;
  }
  // Roles, rights on the database and grants are no history.
  EXPECT_EQ(db::migrate(connection).applied.size(), db::embedded_schema().files.size() - 3);
  EXPECT_TRUE(db::migrate(connection).applied.empty());
  for (const auto& file : db::schema_status(connection)) {
    EXPECT_EQ(file.state, State::applied) << file.name;
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
        applied += static_cast<int>(db::migrate(connection).applied.size());
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
        ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(applied, static_cast<int>(db::embedded_schema().files.size()) - 3);
}

TEST_F(Migrate, AFunctionWhoseTextChangedIsAppliedOnce) {
  auto connection = connect();
  db::migrate(connection, with("functions/extra", extra_function(1)));
  EXPECT_EQ(extra(connection), 1);
  const auto changed = with("functions/extra", extra_function(2));
  for (const auto& file : db::schema_status(connection, changed)) {
    EXPECT_EQ(file.state, file.name == "functions/extra" ? State::changed : State::applied)
        << file.name;
  }
  EXPECT_NE(db::schema_misfit(connection, changed), std::nullopt);
  EXPECT_EQ(db::migrate(connection, changed).applied, std::vector<std::string>{"functions/extra"});
  EXPECT_EQ(extra(connection), 2);
  EXPECT_TRUE(db::migrate(connection, changed).applied.empty());
  EXPECT_EQ(db::schema_misfit(connection, changed), std::nullopt);
}

TEST_F(Migrate, AnOlderMigratorPutsNothingBack) {
  auto connection = connect();
  const auto older = with("functions/extra", extra_function(1));
  const auto newer = with("functions/extra", extra_function(2), 1);
  db::migrate(connection, newer);
  const auto before = catalog_of(connection);
  const auto done = db::migrate(connection, older);
  EXPECT_EQ(done.newer_release, newer.release);
  EXPECT_TRUE(done.applied.empty());
  EXPECT_EQ(catalog_of(connection), before);
  EXPECT_EQ(extra(connection), 2);
  EXPECT_EQ(db::schema_misfit(connection, older), std::nullopt) << "it lives with what it finds";
}

TEST_F(Migrate, RolesAndGrantsAreSetRightEachTime) {
  auto connection = connect();
  db::migrate(connection);
  connection.script(
      "GRANT DELETE ON postern.task TO postern_api; REVOKE SELECT ON postern.task FROM postern_api;"
      "ALTER ROLE postern_api SET statement_timeout = '77s'");
  db::migrate(connection);
  EXPECT_EQ(
      connection
          .exec({"",
                 "SELECT has_table_privilege('postern_api', 'postern.task', 'SELECT')::text || "
                 "has_table_privilege('postern_api', 'postern.task', 'DELETE')::text || "
                 "(SELECT 'statement_timeout=5s' = ANY(setconfig) FROM pg_db_role_setting s "
                 "JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = 'postern_api' AND "
                 "setdatabase = 0)::text"})
          .text(0, 0),
      "truefalsetrue");
}

// A dialect is a row in core; the tables follow at the next migration.
TEST_F(Migrate, ADialectThatTheTablesLackIsAdmitted) {
  auto connection = connect();
  db::migrate(connection, db::embedded_schema());
  connection.script(
      "ALTER TABLE postern.task DROP CONSTRAINT task_dialect_known, "
      "ADD CONSTRAINT task_dialect_known CHECK (dialect IN ('native'))");
  db::migrate(connection, db::embedded_schema());
  const auto row = connection.exec({"", R"sql(
    SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'task_dialect_known')sql"});
  ASSERT_EQ(row.rows(), 1);
  for (const DialectTraits& dialect : kDialects) {
    EXPECT_NE(row.text(0, 0).find("'" + std::string(dialect.name) + "'"), std::string::npos)
        << row.text(0, 0);
  }
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
  db::migrate(connection, with("tables/9000_tolerant", "-- min_program: 0.1.0\n", 1));
  EXPECT_EQ(db::schema_misfit(connection), std::nullopt);
  db::migrate(connection, with("tables/9001_strict", "-- min_program: 0.1.1\n", 1));
  EXPECT_NE(db::schema_misfit(connection)->find("this program (0.1.0) is too old"),
            std::string::npos);
}

TEST_F(Misfit, AFunctionMayDemandANewerProgramToo) {
  auto connection = connect();
  db::migrate(connection, with("functions/extra", extra_function(2, "-- min_program: 0.1.1\n"), 1));
  EXPECT_NE(db::schema_misfit(connection)->find("needs 0.1.1 or newer"), std::string::npos);
}

TEST_F(Misfit, AnOlderSchemaIsRefused) {
  auto connection = connect();
  db::migrate(connection);
  EXPECT_NE(db::schema_misfit(connection, with("tables/9000_next", "SELECT 1;", 1))->find("older"),
            std::string::npos);
}

TEST(Release, IsReadAndWritten) {
  EXPECT_EQ(db::release_number("1.2.3"), 1'002'003);
  EXPECT_EQ(db::release_text(1'002'003), "1.2.3");
  for (const char* wrong : {"", "1", "1.2", "1.2.3.4", "1.2.x", "-1.2.3", "1.1000.1", "1.2.3 "}) {
    EXPECT_THROW(db::release_number(wrong), std::invalid_argument) << wrong;
  }
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
