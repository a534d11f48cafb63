// What the roles must not be able to do.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "db/schema/roles.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

TEST(Roles, AreThoseOfTheList) {
  Database database;
  auto connection = database.connect();
  EXPECT_TRUE(db::missing_roles(connection).empty());
  // "NAME" or "NAME logs in", as roles.sql makes them.
  const auto made = connection.exec({"", R"sql(
    SELECT rolname || CASE WHEN rolcanlogin THEN ' logs in' ELSE '' END FROM pg_roles WHERE rolname ~ '^postern_' ORDER BY 1)sql"});
  std::set<std::string> found, listed;
  for (int i = 0; i < made.rows(); ++i) found.emplace(made.text(i, 0));
  for (const std::string role : db::kRoles) {
    const bool login = std::ranges::find(db::kLoginRoles, role) != db::kLoginRoles.end();
    listed.insert(role + (login ? " logs in" : ""));
  }
  EXPECT_EQ(found, listed);
}

TEST(Roles, AreDeniedWhatTheyDoNotNeed) {
  Database database;
  auto api = database.connect("postern_api");
  insert(api, {new_task()});
  database.connect().script("CREATE TABLE public.of_an_application (n int)");
  struct Case {
    const char* role;
    const char* sql;
  };
  for (const auto& c : {
           Case{"postern_api", "DELETE FROM postern.task"},
           Case{"postern_api", "UPDATE postern.task SET attempt = 0"},
           Case{"postern_api", "UPDATE postern.task SET state = 'ready'"},
           Case{"postern_api", "TRUNCATE postern.task"},
           Case{"postern_api", "INSERT INTO postern.task_finished SELECT * FROM postern.task"},
           Case{"postern_api", "SELECT * FROM postern.api_key"},
           Case{"postern_api", "SELECT * FROM postern.tenant_secret"},
           Case{"postern_api", "SELECT postern.make_partitions('short', 1)"},
           Case{"postern_api", "SELECT postern.drop_partition('short', now())"},
           Case{"postern_api", "SELECT postern.wake(gen_random_uuid(), '{}', 1)"},
           Case{
               "postern_api",
               "SELECT postern.expire_entries(gen_random_uuid(), 1, 1, '', '', gen_random_uuid())"},
           Case{"postern_api", "SELECT * FROM postern.allow('{}', '{}', '{}', '{}', '{}')"},
           Case{"postern_api", "DELETE FROM postern.sequel"},
           Case{"postern_api", "UPDATE postern.setting SET value = 'true'"},
           Case{
               "postern_api",
               "SELECT postern.finish(t, gen_random_uuid(), 'failed', '', '') FROM postern.task t"},
           Case{"postern_api", "CREATE TABLE postern.mine (n int)"},
           Case{"postern_api", "CREATE TABLE public.mine (n int)"},
           Case{"postern_api", "CREATE TEMP TABLE mine (n int)"},
           Case{"postern_api", "SET ROLE postern_owner"},
           Case{"postern_api", "SET SESSION AUTHORIZATION postgres"},
           Case{"postern_api", "COPY postern.setting TO PROGRAM 'true'"},
           Case{"postern_api", "SELECT pg_read_file('PG_VERSION')"},
           Case{"postern_api", "SELECT lo_import('/etc/passwd')"},
           Case{"postern_api", "CREATE EXTENSION dblink"},
           Case{"postern_scheduler", "SELECT * FROM postern.api_key"},
           Case{"postern_scheduler", "DELETE FROM postern.task_finished"},
           Case{"postern_scheduler", "UPDATE postern.tenant_secret SET secret = 'whsec_x'"},
           Case{"postern_scheduler", "DELETE FROM postern.endpoint"},
           Case{"postern_scheduler", "DELETE FROM postern.queue"},
           Case{"postern_scheduler", "DROP TABLE postern.task"},
           Case{"postern_operator", "SELECT hash FROM postern.api_key"},
           Case{"postern_operator", "DELETE FROM postern.api_key"},
           Case{"postern_operator", "UPDATE postern.api_key SET role = 'admin'"},
           Case{"postern_operator", "DELETE FROM postern.tenant"},
           Case{"postern_operator", "DELETE FROM postern.task"},
           Case{"postern_operator", "UPDATE postern.task SET attempt = 0"},
           Case{"postern_operator", "TRUNCATE postern.task"},
           Case{"postern_operator", "DROP TABLE postern.task"},
           Case{"postern_operator", "ALTER TABLE postern.task ADD COLUMN mine integer"},
           Case{"postern_operator", "DROP FUNCTION postern.authenticate"},
           Case{"postern_operator", "SELECT postern.drop_partition('short', now())"},
           Case{"postern_operator", "INSERT INTO postern.applied SELECT * FROM postern.applied"},
           Case{"postern_operator", "CREATE TABLE postern.mine (n int)"},
           Case{"postern_operator", "CREATE TABLE public.mine (n int)"},
           Case{"postern_operator", "CREATE TEMP TABLE mine (n int)"},
           Case{"postern_operator", "CREATE ROLE mine"},
           Case{"postern_operator", "SET ROLE postern_owner"},
           Case{"postern_operator", "SET ROLE postern_migrator"},
           Case{"postern_operator", "SET ROLE postern_api"},
           Case{"postern_operator", "SET ROLE postern_scheduler"},
           Case{"postern_operator", "SET SESSION AUTHORIZATION postern_api"},
           Case{"postern_operator", "SELECT * FROM public.of_an_application"},
           Case{"postern_scheduler", "SET ROLE postern_owner"},
           Case{"postern_scheduler", "CREATE TEMP TABLE mine (n int)"},
       }) {
    auto connection = database.connect(c.role);
    try {
      connection.script(c.sql);
      ADD_FAILURE() << c.role << " may: " << c.sql;
    } catch (const db::PgError& error) {
      EXPECT_EQ(error.sqlstate(), "42501") << c.role << ": " << c.sql << ": " << error.what();
    }
  }
}

TEST(Roles, HaveTimeoutsAsSeatBelts) {
  Database database;
  const auto by_role_alone = [&](const std::string& role) {
    auto options = database.options(role);
    options.session = {};
    return db::PgConnection::connect(options);
  };
  auto api = by_role_alone("postern_api");
  EXPECT_EQ(api.exec({"", "SHOW statement_timeout"}).text(0, 0), "5s");
  auto scheduler = by_role_alone("postern_scheduler");
  EXPECT_EQ(scheduler.exec({"", "SHOW idle_in_transaction_session_timeout"}).text(0, 0), "10s");
}

}  // namespace
}  // namespace postern::test
