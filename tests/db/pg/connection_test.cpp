#include "db/pg/connection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "core/base/uuid.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

class Pg : public ::testing::Test {
 protected:
  Database database_;
  db::PgConnection connection_ = database_.connect();
};

TEST_F(Pg, EveryTypeComesBackAsItWent) {
  const auto id = random_uuid();
  const auto time = *parse_rfc3339("2031-02-03T04:05:06.789012Z");
  const std::string bytes("\0\xff\\'\"", 5);
  const auto row = connection_.exec(
      {"",
       "SELECT $1::text, $2::bytea, $3::int8, $4::int4, $5::int2, $6::float8, $7::bool, $8::uuid, "
       "$9::timestamptz, $10::text"},
      db::Params()
          .text("ä'\"")
          .bytea(bytes)
          .int8(-5'000'000'000)
          .int4(-7)
          .int2(-3)
          .float8(0.1)
          .boolean(true)
          .uuid(id)
          .time(time)
          .null(db::Oid::text));
  EXPECT_EQ(row.text(0, 0), "ä'\"");
  EXPECT_EQ(row.text(0, 1), bytes);
  EXPECT_EQ(row.integer(0, 2), -5'000'000'000);
  EXPECT_EQ(row.integer(0, 3), -7);
  EXPECT_EQ(row.integer(0, 4), -3);
  EXPECT_EQ(row.float8(0, 5), 0.1);
  EXPECT_TRUE(row.boolean(0, 6));
  EXPECT_EQ(row.uuid(0, 7), id);
  EXPECT_EQ(row.time(0, 8), time);
  EXPECT_TRUE(row.is_null(0, 9));
}

TEST_F(Pg, ArraysKeepTheirOrderNullsAndBytes) {
  db::Array texts(db::Oid::text), numbers(db::Oid::int8), empty(db::Oid::text);
  texts.text("a,b}\"");
  texts.null();
  texts.text("");
  numbers.int8(1);
  numbers.int8(-2);
  numbers.int8(3);
  const auto rows = connection_.exec({"", "SELECT * FROM unnest($1::text[], $2::int8[])"},
                                     db::Params().array(texts).array(numbers));
  ASSERT_EQ(rows.rows(), 3);
  EXPECT_EQ(rows.text(0, 0), "a,b}\"");
  EXPECT_TRUE(rows.is_null(1, 0));
  EXPECT_FALSE(rows.is_null(2, 0));
  EXPECT_EQ(rows.integer(1, 1), -2);
  EXPECT_EQ(connection_.exec({"", "SELECT cardinality($1::text[])"}, db::Params().array(empty))
                .integer(0, 0),
            0);
}

TEST_F(Pg, ArrayLiteralsSurviveQuotesAndBackslashes) {
  const std::vector<std::string> tags{"plain", "a,b", "q\"uote", "back\\slash", "{}"};
  const auto row = connection_.exec({"", "SELECT $1::text::text[]"},
                                    db::Params().text(db::text_array_literal(tags)));
  EXPECT_EQ(row.text_array(0, 0), tags);
}

TEST_F(Pg, ARefusedStatementTellsItsSqlstateAndNotTheRow) {
  connection_.script("CREATE TABLE t (secret text CHECK (secret = ''))");
  try {
    connection_.exec({"", "INSERT INTO t VALUES ($1)"}, db::Params().text("canary"));
    FAIL() << "accepted";
  } catch (const db::PgError& error) {
    EXPECT_EQ(error.sqlstate(), "23514");
    EXPECT_FALSE(error.connection_lost());
    EXPECT_EQ(std::string(error.what()).find("canary"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(connection_.alive());
}

TEST_F(Pg, ALostConnectionIsToldApart) {
  const auto pid = connection_.exec({"", "SELECT pg_backend_pid()"}).integer(0, 0);
  database_.connect().exec({"", "SELECT pg_terminate_backend($1)"},
                           db::Params().int4(static_cast<std::int32_t>(pid)));
  try {
    connection_.exec({"", "SELECT 1"});
    FAIL() << "accepted";
  } catch (const db::PgError& error) {
    EXPECT_TRUE(error.connection_lost());
  }
  EXPECT_FALSE(connection_.alive());
}

TEST_F(Pg, AReadingOfTheWrongTypeIsAFault) {
  const auto row = connection_.exec({"", "SELECT 'x'::text, NULL::int8"});
  EXPECT_THROW(row.uuid(0, 0), std::runtime_error);
  EXPECT_THROW(row.integer(0, 1), std::runtime_error);
}

TEST_F(Pg, ATransactionThatIsLeftIsRolledBack) {
  connection_.script("CREATE TABLE t (n int)");
  {
    db::Transaction transaction(connection_);
    connection_.exec({"", "INSERT INTO t VALUES (1)"});
  }
  EXPECT_EQ(connection_.exec({"", "SELECT FROM t"}).rows(), 0);
}

using StandbyWait = Pg;

TEST_F(StandbyWait, ThatIsCancelledMakesTheCommitUnsure) {
  // The commit waits for a standby that does not exist, until somebody cancels the wait: the server
  // then says INSERT 0 1 and a warning.
  connection_.script("CREATE TABLE t (n int)");
  auto other = database_.connect();
  const auto pid =
      static_cast<std::int32_t>(connection_.exec({"", "SELECT pg_backend_pid()"}).integer(0, 0));
  connection_.script("SET application_name = 'waits'");
  other.script("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  other.exec({"", "SELECT pg_reload_conf()"});
  std::jthread canceller([&](const std::stop_token& stop) {
    auto third = db::PgConnection::connect(database_.options());
    while (!stop.stop_requested()) {
      const auto waits = third.exec({"",
                                     "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                                     "WHERE pid = $1 AND wait_event = 'SyncRep'"},
                                    db::Params().int4(pid));
      if (waits.rows() > 0) return;
    }
  });
  // Commits wait once the reload has reached the server's checkpointer, which is when it comes to
  // it.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!connection_.take_unsure_commit()) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "no commit waited";
    EXPECT_EQ(connection_.exec({"", "INSERT INTO t VALUES (1)"}).affected(), 1);
  }
  EXPECT_FALSE(connection_.take_unsure_commit());
  other.script("ALTER SYSTEM RESET synchronous_standby_names");
  other.exec({"", "SELECT pg_reload_conf()"});
}

}  // namespace
}  // namespace postern::test
