#include "db/engine/backend.h"

#include <gtest/gtest.h>

#include "tests/support/database.h"

namespace postern::test {
namespace {

TEST(Backend, HasEndedWhenItsProcessHas) {
  Database database;
  auto admin = database.connect();
  auto watcher = database.connect("postern_api");
  auto watched = database.connect("postern_api");
  const db::Backend backend = db::backend_of(watched);
  EXPECT_GT(backend.pid, 0);
  EXPECT_FALSE(db::has_ended(watcher, backend));
  // Its number may be another's by now.
  EXPECT_TRUE(db::has_ended(watcher, {backend.pid, backend.started - Seconds{1}}));
  admin.exec({"", "SELECT pg_terminate_backend($1::int, 10000)"},
             db::Params().int4(static_cast<std::int32_t>(backend.pid)));
  EXPECT_TRUE(db::has_ended(watcher, backend));
}

// Another role's is not seen whole: it may be the one that is meant.
TEST(Backend, OfAnotherRoleHasNotEnded) {
  Database database;
  auto watcher = database.connect("postern_api");
  auto other = database.connect();
  db::Backend backend = db::backend_of(other);
  EXPECT_FALSE(db::has_ended(watcher, backend));
}

}  // namespace
}  // namespace postern::test
