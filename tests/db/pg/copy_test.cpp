#include "db/pg/copy.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <string>
#include <thread>

#include "tests/support/database.h"

namespace postern::test {
namespace {

using namespace std::chrono_literals;

class Copy : public ::testing::Test {
 protected:
  Copy() { to_.script("CREATE TEMP TABLE copied (line text)"); }

  Database database_;
  db::PgConnection from_ = database_.connect(), to_ = database_.connect();
  db::PgConnection beside_ = database_.connect();
};

TEST_F(Copy, BringsAllRowsAndSaysHowMany) {
  EXPECT_EQ(db::copy_rows(from_, "SELECT n::text FROM generate_series(1, 1000) n", to_, "copied"),
            1000);
  EXPECT_EQ(to_.exec({"", "SELECT count(DISTINCT line) FROM copied"}).integer(0, 0), 1000);
}

TEST_F(Copy, WhatEitherEndRefusesIsThrownAndBothCanBeUsedAgain) {
  EXPECT_THROW(
      db::copy_rows(from_, "SELECT 1 / (5 - n) FROM generate_series(1, 9) n", to_, "copied"),
      db::PgError);
  EXPECT_THROW(db::copy_rows(from_, "SELECT 'x'", to_, "nonesuch"), db::PgError);
  EXPECT_EQ(db::copy_rows(from_, "SELECT 'x'", to_, "copied"), 1);
}

// The most that this process has held in memory since the last call, in bytes.
std::size_t most_held() {
  std::size_t kilobytes = 0;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  return kilobytes * 1024;
}

TEST_F(Copy, KeepsNoMoreThanSomeRowsHoweverSlowTheTargetIs) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps what was freed";
#endif
  to_.script(
      "CREATE FUNCTION pg_temp.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
      "pg_sleep(0.05); RETURN NEW; END $$; CREATE TRIGGER slow BEFORE INSERT ON copied FOR EACH "
      "ROW EXECUTE FUNCTION pg_temp.slow()");
  most_held();
  const auto before = most_held();
  EXPECT_EQ(db::copy_rows(from_, "SELECT repeat('x', 4 << 20) FROM generate_series(1, 50)", to_,
                          "copied"),
            50);
  EXPECT_LT(most_held(), before + (60 << 20));
}

// The server at the target ends in the middle; what the source was about to send is not in the way
// of what it is asked next.
TEST_F(Copy, ATargetThatEndsLeavesTheSourceAsItWas) {
  to_.script(
      "CREATE FUNCTION pg_temp.ends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
      "pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(0); RETURN NEW; END $$; CREATE "
      "TRIGGER ends BEFORE INSERT ON copied FOR EACH ROW EXECUTE FUNCTION pg_temp.ends()");
  const db::Transaction reading(from_);
  EXPECT_THROW(db::copy_rows(from_, "SELECT repeat('x', 1 << 20) FROM generate_series(1, 50)", to_,
                             "copied"),
               db::PgError);
  EXPECT_EQ(from_.exec({"", "SELECT 1"}).integer(0, 0), 1);
}

// As when the server's process is killed, or a router forgets the connection.
TEST_F(Copy, AConnectionThatEndsWithoutAWordEndsIt) {
  auto copied = std::async(std::launch::async, [&] {
    return db::copy_rows(
        from_,
        "SELECT repeat('x', 10000) FROM generate_series(1, 10) UNION ALL SELECT pg_sleep(60)::text",
        to_, "copied");
  });
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (beside_
             .exec({"",
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND "
                    "datname = current_database()"})
             .integer(0, 0) == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    std::this_thread::sleep_for(10ms);
  }
  ::shutdown(from_.socket(), SHUT_RDWR);
  if (copied.wait_for(30s) != std::future_status::ready) {
    std::cerr << "the COPY goes on without its connection\n";
    std::_Exit(1);  // it would never end
  }
  try {
    copied.get();
    ADD_FAILURE() << "the COPY has ended as if all were there";
  } catch (const db::PgError& error) {
    EXPECT_TRUE(error.connection_lost()) << error.what();
  }
  EXPECT_FALSE(from_.alive());
  EXPECT_EQ(to_.exec({"", "SELECT count(*) FROM copied"}).integer(0, 0), 0);
}

}  // namespace
}  // namespace postern::test
