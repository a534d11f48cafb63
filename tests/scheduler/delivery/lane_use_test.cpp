#include "scheduler/delivery/lane_use.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

TaskSpec task_to(const std::string& url, const std::string& endpoint = {}) {
  TaskSpec task;
  task.tenant = "default";
  task.queue = "mail";
  task.url = url;
  task.endpoint = endpoint;
  return task;
}

TEST(LaneUse, NamesEachLaneOnce) {
  LaneUse use;
  use.add(7, task_to("https://example.com/a"));
  use.add(7, task_to("https://example.com/b"));
  use.add(8, task_to("https://elsewhere.test/", "news"));
  const auto lanes = use.take(10, Monotonic{});
  ASSERT_EQ(lanes.size(), 2U);
  EXPECT_EQ(lanes[0].id, 7);
  EXPECT_EQ(lanes[0].tenant, "default");
  EXPECT_EQ(lanes[0].queue, "mail");
  EXPECT_EQ(lanes[0].target, "example.com");
  EXPECT_EQ(lanes[1].target, "endpoint:news");
  EXPECT_TRUE(use.empty());
}

TEST(LaneUse, GivesNoMoreThanIsAskedFor) {
  LaneUse use;
  for (int lane = 0; lane < 5; ++lane) use.add(lane, task_to("https://example.com/"));
  EXPECT_EQ(use.take(3, Monotonic{}).size(), 3U);
  EXPECT_FALSE(use.empty());
  EXPECT_EQ(use.take(3, Monotonic{}).size(), 2U);
}

TEST(LaneUse, NamesALaneAgainAfterAWhileOrWhenItWasNotNoted) {
  LaneUse use;
  const auto claimed_and_taken = [&](Monotonic now) {
    use.add(7, task_to("https://example.com/"));
    return use.take(10, now);
  };
  EXPECT_EQ(claimed_and_taken(Monotonic{1h}).size(), 1U);
  const auto again = claimed_and_taken(Monotonic{1h});
  EXPECT_EQ(again.size(), 1U) << "the statement failed";
  use.noted(again);
  EXPECT_TRUE(claimed_and_taken(Monotonic{1h + 10min}).empty());
  EXPECT_TRUE(use.take(10, Monotonic{1h + 20min}).empty()) << "nothing was claimed since";
  EXPECT_EQ(claimed_and_taken(Monotonic{1h + 20min}).size(), 1U);
}

}  // namespace
}  // namespace postern::scheduler
