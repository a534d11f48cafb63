#include "db/pg/error.h"

#include <gtest/gtest.h>

namespace postern::db {
namespace {

PgError with_sqlstate(const char* state) { return {"refused", state, false}; }

TEST(PgError, TellsFaultsOfTheDataFromTheServersState) {
  for (const char* state : {"22P05", "22021", "23505", "54000"}) {
    EXPECT_TRUE(with_sqlstate(state).is_data_fault()) << state;
  }
  for (const char* state : {"", "40001", "40P01", "25006", "53300", "55P03", "57014", "57P01",
                            "58030", "XX000", "42501"}) {
    EXPECT_FALSE(with_sqlstate(state).is_data_fault()) << state;
  }
}

TEST(PgError, TellsWhatMayBeAskedForAgain) {
  for (const char* state : {"40001", "40P01"}) {
    EXPECT_TRUE(with_sqlstate(state).is_undone()) << state;
    EXPECT_TRUE(with_sqlstate(state).is_busy()) << state;
    EXPECT_TRUE(with_sqlstate(state).is_passing()) << state;
  }
  for (const char* state : {"55P03", "57014"}) {
    EXPECT_FALSE(with_sqlstate(state).is_undone()) << state;
    EXPECT_TRUE(with_sqlstate(state).is_busy()) << state;
  }
  for (const char* state : {"08006", "25006", "53300", "57P01", "58030"}) {
    EXPECT_FALSE(with_sqlstate(state).is_busy()) << state;
    EXPECT_TRUE(with_sqlstate(state).is_passing()) << state;
  }
  for (const char* state : {"", "22021", "23505", "42501", "XX000"}) {
    EXPECT_FALSE(with_sqlstate(state).is_passing()) << state;
  }
}

TEST(PgError, TellsAStepOfAMoveFromTheServersState) {
  EXPECT_TRUE(with_sqlstate("PM100").is_wrong_step());
  EXPECT_FALSE(with_sqlstate("PM100").is_passing());
  EXPECT_FALSE(with_sqlstate("PM100").is_tenant_away());
  EXPECT_FALSE(with_sqlstate("PM001").is_wrong_step());
  EXPECT_FALSE(with_sqlstate("55000").is_wrong_step());
}

TEST(PgError, TellsWhenACommitIsUnsure) {
  EXPECT_TRUE(PgError("gone", "", true).leaves_commit_unsure());
  EXPECT_TRUE(with_sqlstate("57P01").leaves_commit_unsure());
  EXPECT_FALSE(with_sqlstate("57014").leaves_commit_unsure());
  EXPECT_FALSE(with_sqlstate("40001").leaves_commit_unsure());
}

}  // namespace
}  // namespace postern::db
