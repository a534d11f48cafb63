// What ALTER DATABASE, ALTER ROLE or the server's file may say: none of it stops the main job,
// since each session sets what its statements rely on.
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include <fmt/format.h>

#include "db/engine/orphans.h"
#include "db/engine/routing.h"
#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class OddSettings : public ::testing::TestWithParam<const char*> {
 protected:
  db::PgConnection session(const char* role, db::Session session) {
    auto options = database_.options(role);
    options.session = session;
    return db::PgConnection::connect(options);
  }

  Database database_;
};

TEST_P(OddSettings, DoNotStopTheMainJob) {
  auto owner = database_.connect();
  owner.script(
      "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation "
      "THEN NULL; END $$; GRANT postern_enqueue TO app;" +
      fmt::format("GRANT CONNECT ON DATABASE {} TO app", database_.name()));
  std::istringstream settings(GetParam());
  for (std::string setting; std::getline(settings, setting, ';');) {
    owner.script(fmt::format("ALTER DATABASE {} SET {}", database_.name(), setting));
  }
  auto api = session("postern_api", db::handler_session());
  auto scheduler = session("postern_scheduler", db::scheduler_session());

  insert(api, {new_task(), new_task(), new_task()});
  auto claimed = claim(scheduler, 2);
  ASSERT_EQ(claimed.size(), 2U);
  EXPECT_EQ(db::orphans_from(scheduler.exec(db::kOrphans, db::orphans_params({}, {}))).tasks.size(),
            2U);
  auto done = db::settlement(claimed[0], State::completed);
  done.attempt.emplace();
  done.attempt->status = "success";
  done.attempt->executed_at = claimed[0].claimed_at;
  done.result = Answer{200, {{"a", "b"}}, std::string("\0\xff", 2), Milliseconds{1}};
  auto again = db::settlement(claimed[1], State::delayed);
  again.delay = Seconds{60};
  const std::vector both{done, again};
  EXPECT_EQ(
      db::settled_from(scheduler.exec(db::kSettle, db::settle_params(Uuid{}, both))).tasks.size(),
      2U);
  const auto finished = *read(api, claimed[0].spec.id);
  EXPECT_EQ(finished.state, State::completed);
  EXPECT_EQ(finished.result->body, done.result->body);
  EXPECT_EQ(db::cancel_task(api, "default", claimed[1].spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  EXPECT_EQ(db::list_tasks(api, "default", {}).tasks.size(), 3U);
  EXPECT_EQ(db::retry_task(api, "default", claimed[1].spec.id, Uuid{}).kind,
            db::Transition::Kind::done);

  // Who enqueues keeps the settings: the functions set what they need.
  auto app = database_.connect("app");
  const auto id =
      app.exec({"",
                "SELECT postern.enqueue('q', 'https://h.test/a?b=%20', '{\"a\": 1.50}', "
                "headers => '{\"x-a\": \"b\"}', tags => '{t}', delay => '1 hour', "
                "retry_policy => '{\"intervals\": [1.5]}')"})
          .uuid(0, 0);
  EXPECT_THROW(
      app.exec({"", "SELECT postern.enqueue('q', $1)"}, db::Params().text("https://h.test\\evil/")),
      db::PgError);
  EXPECT_EQ(read(api, id)->spec.body, R"({"a": 1.50})");
  EXPECT_EQ(db::unrouted_from(scheduler.exec(db::kUnrouted, db::unrouted_params())).size(), 1U);
}

// Those together that have nothing to do with each other.
INSTANTIATE_TEST_SUITE_P(
    , OddSettings,
    ::testing::Values(
        "default_transaction_isolation = 'serializable'; search_path = 'nowhere'; "
        "TimeZone = 'Pacific/Kiritimati'; DateStyle = 'German, DMY'; bytea_output = 'escape'",
        "default_transaction_isolation = 'repeatable read'; default_transaction_deferrable = on; "
        "search_path = ''; IntervalStyle = 'sql_standard'; extra_float_digits = -15",
        "standard_conforming_strings = off; backslash_quote = off; transform_null_equals = on; "
        "array_nulls = off; quote_all_identifiers = on",
        "xmlbinary = 'hex'; timezone_abbreviations = 'India'; row_security = off; "
        "check_function_bodies = off; synchronous_commit = off; client_min_messages = 'error'; "
        "client_encoding = 'LATIN1'; idle_session_timeout = '1min'; "
        "default_toast_compression = 'pglz'; plpgsql.extra_warnings = 'all'",
        "session_replication_role = 'replica'; enable_indexscan = off; enable_indexonlyscan = off; "
        "enable_nestloop = off; enable_partition_pruning = off; enable_seqscan = off",
        "jit_above_cost = 0; plan_cache_mode = 'force_custom_plan'; enable_hashjoin = off; "
        "enable_sort = off; work_mem = '64kB'; geqo_threshold = 2; "
        "from_collapse_limit = 1; join_collapse_limit = 1; constraint_exclusion = 'on'; "
        "cursor_tuple_fraction = 0.01"));

// Those that the caller of postern.enqueue would feel himself.
TEST_F(OddSettings, TimeoutsOfTheDatabaseAreNotThePrograms) {
  auto owner = database_.connect();
  for (const char* setting : {"statement_timeout = '1s'", "lock_timeout = '1s'",
                              "idle_in_transaction_session_timeout = '1s'"}) {
    owner.script(fmt::format("ALTER DATABASE {} SET {}", database_.name(), setting));
  }
  auto api = session("postern_api", db::handler_session());
  auto scheduler = session("postern_scheduler", db::scheduler_session());
  api.exec({"", "SELECT pg_sleep(1.1)"});
  scheduler.exec({"", "SELECT pg_sleep(1.1)"});
  session("", db::command_session()).exec({"", "SELECT pg_sleep(1.1)"});
}

}  // namespace
}  // namespace postern::test
