#include "core/program/clock.h"

#include <gtest/gtest.h>

#include <chrono>

#include "core/program/task_ids.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

Microseconds ahead() { return database_clock() - wall_clock(); }

// The database's clock is ahead by so much, and the question takes so long.
bool compare(Microseconds by, Microseconds took = 10ms) {
  const Time before = wall_clock();
  return compare_clocks(before, before + took / 2 + by, before + took);
}

class ClockTest : public testing::Test {
 protected:
  ~ClockTest() override { compare(0s); }
  static bool near(Microseconds by) { return std::chrono::abs(ahead() - by) < 100ms; }
};

TEST_F(ClockTest, ClocksThatAgreeWithinASecondAreOne) {
  EXPECT_TRUE(near(0s));
  compare(900ms);
  EXPECT_TRUE(near(0s));
  compare(-900ms);
  EXPECT_TRUE(near(0s));
}

TEST_F(ClockTest, AnotherClockIsFollowedInBothDirectionsAndBack) {
  compare(1h);
  EXPECT_TRUE(near(1h));
  compare(-1h);
  EXPECT_TRUE(near(-1h));
  compare(200ms);
  EXPECT_TRUE(near(0s));
}

TEST_F(ClockTest, WhatIsRightEnoughIsKept) {
  EXPECT_TRUE(compare(1h));
  EXPECT_TRUE(compare(1h + 900ms));
  EXPECT_TRUE(near(1h));
  compare(1h + 1100ms);
  EXPECT_TRUE(near(1h + 1100ms));
}

TEST_F(ClockTest, ASlowAnswerSaysNothing) {
  EXPECT_FALSE(compare(1h, 600ms));
  EXPECT_TRUE(near(0s));
  const Time now = wall_clock();
  EXPECT_FALSE(compare_clocks(now, now + 1h, now - 1ms));  // this machine's was set back meanwhile
  EXPECT_TRUE(near(0s));
}

TEST_F(ClockTest, IdsCarryTheDatabasesTime) {
  const TaskId before = new_task_id();
  compare(1h);
  const TaskId later = new_task_id();
  EXPECT_GT(later, before);
  compare(0s);
  EXPECT_LT(new_task_id(), later);
}

}  // namespace
}  // namespace postern
