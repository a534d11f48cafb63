// Where claims begin: far enough along not to walk over what is settled, and never so far that a
// task is passed over for good.
#include "scheduler/delivery/lane_memory.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kLane = 7;

class LaneMemoryTest : public ::testing::Test {
 protected:
  static db::Claimed task(int second, int priority = 50) {
    db::Claimed task;
    task.lane = kLane;
    task.spec.tenant = "default";
    task.spec.queue = "q";
    task.spec.priority = priority;
    task.spec.id = random_uuid();
    task.run_at = start(second);
    return task;
  }
  static Time start(int second) { return Time{Seconds{1'700'000'000 + second}}; }
  // Claims tasks of the seconds `from` to `to`, ten milliseconds apart.
  void claim(int from, int to, int priority = 50) {
    for (int second = from; second < to; ++second) {
      memory_.claimed(task(second, priority), now_);
      now_ += 10ms;
    }
  }
  std::span<const db::LaneMark> marks() { return memory_.recall({kLane, 1}, now_).marks; }
  // The same, once the scan of the whole lane that may be due has been.
  std::span<const db::LaneMark> marks_after_whole() {
    marks();
    return marks();
  }

  Monotonic now_{1h};
  LaneMemory memory_;
};

TEST_F(LaneMemoryTest, KnowsWhatALaneStandsForAfterOneTask) {
  EXPECT_EQ(memory_.recall({kLane, 1}, now_).name, nullptr);
  claim(0, 1);
  const auto recalled = memory_.recall({kLane, 3}, now_);
  ASSERT_NE(recalled.name, nullptr);
  EXPECT_EQ(recalled.name->queue, "q");
  EXPECT_EQ(recalled.slots.free, 3);
  EXPECT_TRUE(recalled.marks.empty());
}

TEST_F(LaneMemoryTest, AMarkIsBehindWhatWasClaimedAMomentAgo) {
  claim(0, 300);
  const auto marks = marks_after_whole();
  ASSERT_EQ(marks.size(), 1U);
  EXPECT_EQ(marks[0].rank, 50);
  // 100 to 300 ms, of ten milliseconds a task.
  EXPECT_LE(marks[0].run_at, start(300 - 10));
  EXPECT_GE(marks[0].run_at, start(300 - 31));
}

TEST_F(LaneMemoryTest, AFewTasksNeedNoMark) {
  claim(0, 255);
  EXPECT_TRUE(marks_after_whole().empty());
}

TEST_F(LaneMemoryTest, TheWholeLaneIsScannedEachSecond) {
  claim(0, 300);
  marks_after_whole();
  now_ += 999ms;
  EXPECT_FALSE(marks().empty());
  now_ += 1ms;
  EXPECT_TRUE(marks().empty());
  EXPECT_FALSE(marks().empty());
}

TEST_F(LaneMemoryTest, ScansThatTakeLongAreFewer) {
  claim(0, 300);
  marks();
  memory_.took(200ms);
  now_ += 1s;
  marks();  // known to be dear from here on
  now_ += 3s;
  EXPECT_FALSE(marks().empty());
  now_ += 1s;
  EXPECT_TRUE(marks().empty());
}

TEST_F(LaneMemoryTest, EachPriorityHasItsMarkInTheOrderOfClaims) {
  claim(0, 200, 50);
  claim(0, 200, 90);
  const auto marks = marks_after_whole();
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks[0].rank, 10);
  EXPECT_EQ(marks[1].rank, 50);
}

TEST_F(LaneMemoryTest, ATaskThatIsKnownToStartEarlierTakesTheMarkBack) {
  claim(0, 300);
  memory_.look_from(kLane, start(5));
  const auto marks = marks_after_whole();
  ASSERT_EQ(marks.size(), 1U);
  EXPECT_EQ(marks[0].run_at, start(5));
  EXPECT_EQ(marks[0].id, Uuid{});
}

TEST_F(LaneMemoryTest, ATaskThatCameLateTakesTheMarkBackToo) {
  claim(0, 300);
  marks();
  const auto late = task(5);
  memory_.claimed(late, now_);
  const auto marks = marks_after_whole();
  ASSERT_EQ(marks.size(), 1U);
  EXPECT_EQ(marks[0].run_at, start(5));
  EXPECT_EQ(marks[0].id, late.spec.id);
}

TEST_F(LaneMemoryTest, WhatATickFoundInAWholeLaneIsLookedForInTheWholeLane) {
  claim(0, 300);
  auto marked = memory_.marked(now_);
  ASSERT_EQ(marked.size(), 1U);
  EXPECT_TRUE(marked[0].marks.empty()) << "it was due";
  memory_.found(kLane);
  EXPECT_TRUE(marks().empty());
  marked = memory_.marked(now_);
  EXPECT_FALSE(marked[0].marks.empty());
  memory_.found(kLane);
  EXPECT_FALSE(marks().empty());
}

TEST_F(LaneMemoryTest, ForgetsLanesThatWereIdleForLong) {
  claim(0, 300);
  now_ += 14min;
  memory_.forget_idle(now_);
  EXPECT_EQ(memory_.size(), 1U);
  now_ += 2min;
  memory_.forget_idle(now_);
  EXPECT_EQ(memory_.size(), 0U);
  EXPECT_EQ(memory_.recall({kLane, 1}, now_).name, nullptr);
}

}  // namespace
}  // namespace postern::scheduler
