#include "db/pg/copy.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
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
