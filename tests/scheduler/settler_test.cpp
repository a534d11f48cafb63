#include "scheduler/settler.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

TEST(IsDataError, TellsTheDataFromTheServersState) {
  for (const char* state : {"22P05", "22021", "23505", "54000"}) {
    EXPECT_TRUE(is_data_error(state)) << state;
  }
  for (const char* state : {"", "40001", "40P01", "25006", "53300", "55P03", "57014", "57P01",
                            "58030", "XX000", "42501"}) {
    EXPECT_FALSE(is_data_error(state)) << state;
  }
}

}  // namespace
}  // namespace postern::scheduler
