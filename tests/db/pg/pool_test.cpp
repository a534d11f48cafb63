#include "db/pg/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <vector>

#include "tests/support/database.h"

namespace postern::test {
namespace {

TEST(Pool, SaysThatItIsBusyAndNotThatTheDatabaseIsAway) {
  Database database;
  db::Pool pool(database.options("postern_api"), 1);
  const auto lease = pool.acquire();
  try {
    pool.acquire();
    FAIL() << "there is one connection";
  } catch (const db::AllConnectionsBusy& busy) {
    EXPECT_FALSE(busy.connection_lost());
    EXPECT_FALSE(busy.leaves_commit_unsure()) << "nothing was sent";
    EXPECT_TRUE(busy.is_passing());
  }
}

TEST(Pool, LosesNoPlaceWhateverConnectThrows) {
  Database database;
  const auto options = database.options("postern_api");
  int calls = 0;
  db::Pool pool(
      [&] {
        if (++calls <= 3) throw std::bad_alloc();
        return db::PgConnection::connect(options);
      },
      1);
  for (int i = 0; i < 3; ++i) EXPECT_THROW(pool.acquire(), std::bad_alloc);
  auto lease = pool.acquire();
  EXPECT_TRUE((*lease).alive());
}

TEST(Pool, FailsAtOnceForAWhileAfterItCouldNotConnect) {
  int calls = 0;
  db::Pool pool(
      [&]() -> db::PgConnection {
        ++calls;
        throw db::PgError("away", "", true);
      },
      2);
  for (int i = 0; i < 3; ++i) EXPECT_THROW(pool.acquire(), db::PgError);
  EXPECT_EQ(calls, 1);
}

TEST(Pool, OneCallConnectsAtATimeAndTheOthersFailWithIt) {
  std::atomic<int> calls = 0, at_once = 0, most = 0;
  db::Pool pool(
      [&]() -> db::PgConnection {
        ++calls;
        most = std::max(most.load(), ++at_once);
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        --at_once;
        throw db::PgError("away", "", true);
      },
      8);
  const auto began = std::chrono::steady_clock::now();
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        while (std::chrono::steady_clock::now() < began + std::chrono::seconds(2)) {
          try {
            pool.acquire();
          } catch (const db::PgError& error) {
            EXPECT_STREQ(error.what(), "away");
            ++failed;
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
      });
    }
  }
  EXPECT_EQ(most, 1);
  // Each attempt takes 300 ms, and 250 ms at least lie between two.
  EXPECT_LE(calls, 5);
  EXPECT_GE(calls, 2);
  EXPECT_GT(failed, 8 * calls) << "the others do not wait for attempts";
}

}  // namespace
}  // namespace postern::test
