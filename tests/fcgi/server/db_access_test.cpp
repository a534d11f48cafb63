#include "fcgi/server/db_access.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(DbAccess, TellsABusyPoolFromADatabaseThatIsSlowOrAway) {
  const struct {
    const db::PgError& error;
    const char* reason;
  } cases[] = {
      {db::AllConnectionsBusy(), "database_busy"},
      {db::PgError("gone", "", true), "database_unavailable"},
      {db::PgError("too many clients", "53300", false), "database_unavailable"},
      {db::PgError("lock", "55P03", false), "database_slow"},
  };
  for (const auto& [error, reason] : cases) {
    EXPECT_TRUE(is_database_fault(error)) << reason;
    const auto told = told_of(error);
    EXPECT_EQ(told.code, Errc::unavailable) << reason;
    EXPECT_EQ(told.reason, reason);
  }
}

}  // namespace
}  // namespace postern
