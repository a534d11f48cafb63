#include "db/schema/drift.h"

#include <gtest/gtest.h>

#include "tests/support/database.h"

namespace postern::test {
namespace {

using Names = std::vector<std::string>;

TEST(SchemaDrift, AMigratedDatabaseHasNone) {
  Database database;
  auto connection = database.connect();
  EXPECT_EQ(db::schema_drift(connection), Names{});
}

TEST(SchemaDrift, NamesWhatSomebodyChangedByHand) {
  Database database;
  auto connection = database.connect();
  connection.script(R"sql(
    GRANT DELETE ON postern.task TO postern_api;
    CREATE OR REPLACE FUNCTION postern.queue_depth(p_tenant text, p_queue text) RETURNS bigint
    LANGUAGE sql STABLE AS $$ SELECT 0::bigint $$)sql");
  EXPECT_EQ(db::schema_drift(connection),
            (Names{"function postern.queue_depth(text,text)", "table postern.task"}));
  EXPECT_EQ(db::schema_drift(connection).size(), 2U) << "a look changes nothing";
  db::migrate(connection);
  EXPECT_EQ(db::schema_drift(connection), Names{"function postern.queue_depth(text,text)"})
      << "a function whose file is unchanged is not applied again";
}

TEST(SchemaDrift, LooksAtRolesWhichBelongToTheCluster) {
  Database database;
  auto connection = database.connect();
  connection.script("ALTER ROLE postern_api SET lock_timeout = '77s'");
  EXPECT_EQ(db::schema_drift(connection), Names{"role postern_api"});
  db::migrate(connection);
  EXPECT_EQ(db::schema_drift(connection), Names{});
}

TEST(SchemaDrift, ReapplyingBringsAFunctionBack) {
  Database database;
  auto connection = database.connect();
  connection.script("DROP FUNCTION postern.authenticate(bytea)");
  EXPECT_EQ(db::schema_drift(connection), Names{"function postern.authenticate(bytea) (missing)"});
  db::Transaction transaction(connection);
  ASSERT_TRUE(db::reapply(connection, db::embedded_schema()));
  transaction.commit();
  EXPECT_EQ(db::schema_drift(connection), Names{});
}

TEST(SchemaDrift, TellsOfTriggersThatAreGoneOrDisabled) {
  Database database;
  auto connection = database.connect();
  connection.script(R"sql(
    DROP TRIGGER refuse_arriving ON postern.api_key;
    ALTER TABLE postern.tenant_secret DISABLE TRIGGER refuse_arriving)sql");
  EXPECT_EQ(db::schema_drift(connection),
            (Names{"trigger refuse_arriving of postern.api_key (missing)",
                   "trigger refuse_arriving of postern.tenant_secret"}));
  db::Transaction transaction(connection);
  ASSERT_TRUE(db::reapply(connection, db::embedded_schema()));
  transaction.commit();
  EXPECT_EQ(db::schema_drift(connection), Names{});
}

// Without that table no key is judged, and whoever has written it and not ended the transaction
// would have all wait.
TEST(SchemaDrift, LocksNoTableThatRequestsWrite) {
  Database database;
  auto connection = database.connect(), other = database.connect();
  db::Transaction open(other);
  for (const char* table : {"api_key", "tenant_secret", "task", "queue"}) {
    other.script(std::string("LOCK TABLE postern.") + table + " IN ROW EXCLUSIVE MODE");
  }
  connection.script("SET lock_timeout = '5s'");
  EXPECT_EQ(db::schema_drift(connection), Names{});
}

}  // namespace
}  // namespace postern::test
