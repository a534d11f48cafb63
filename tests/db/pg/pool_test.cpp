#include "db/pg/pool.h"

#include <gtest/gtest.h>

#include <new>

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

}  // namespace
}  // namespace postern::test
