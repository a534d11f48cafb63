#include "scheduler/duties/rescue.h"

#include <gtest/gtest.h>

#include "core/base/uuid.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;
using Silent = std::vector<db::SilentInstance>;

class RescueTest : public testing::Test {
 protected:
  // Beats every 5 s for as long as `beats` says; the number of each is what was observed.
  void look(std::vector<db::Heartbeat> beats, int connects = 1) {
    now += 5s;
    rescue.observe(beats, connects, now);
  }

  // A look, the last of its round or not.
  std::vector<db::Orphan> judge(std::vector<db::Orphan> orphans, Monotonic at,
                                std::optional<TaskId> next = std::nullopt) {
    return rescue.judge({std::move(orphans), next}, at);
  }

  const Uuid self = random_uuid(), other = random_uuid();
  Monotonic now{1h};
  Rescue rescue{self, "a", 60s};
};

TEST_F(RescueTest, DeclaresDeadWhoHasNotBeatenForSoLong) {
  for (int i = 0; i <= 11; ++i) {
    look({{self, "a", i}, {other, "b", 7}});
    EXPECT_EQ(rescue.dead(), Silent{}) << i;
  }
  look({{self, "a", 12}, {other, "b", 7}});
  EXPECT_EQ(rescue.dead(), (Silent{{other, 7}}));
  look({{self, "a", 13}, {other, "b", 8}});
  EXPECT_EQ(rescue.dead(), Silent{}) << "it was only slow";
}

TEST_F(RescueTest, NeverDeclaresItselfDead) {
  for (int i = 0; i < 30; ++i) look({{self, "a", 7}});
  EXPECT_EQ(rescue.dead(), Silent{});
}

TEST_F(RescueTest, DeclaresItsOwnPredecessorDeadSooner) {
  look({{other, "a", 7}});
  look({{other, "a", 7}});
  look({{other, "a", 7}});
  EXPECT_EQ(rescue.dead(), Silent{}) << "after 10 s";
  look({{other, "a", 7}});
  EXPECT_EQ(rescue.dead(), (Silent{{other, 7}})) << "after 15 s";
}

TEST_F(RescueTest, BeginsAnewAfterAReconnect) {
  for (int i = 0; i <= 11; ++i) look({{other, "b", 7}});
  look({{other, "b", 7}}, 2);
  EXPECT_EQ(rescue.dead(), Silent{});
  for (int i = 0; i < 12; ++i) look({{other, "b", 7}}, 2);
  EXPECT_EQ(rescue.dead(), (Silent{{other, 7}}));
}

TEST_F(RescueTest, BeginsAnewWhenItCouldNotLookForAWhile) {
  look({{other, "b", 7}});
  now += 10min;
  look({{other, "b", 7}});
  EXPECT_EQ(rescue.dead(), Silent{});
}

TEST_F(RescueTest, BelievesNoBeatForLongerThanItLooked) {
  look({{other, "b", 7}});
  now += 10min;  // it stood still, and what it does next is to take over tasks
  EXPECT_EQ(rescue.dead(), Silent{});
}

TEST_F(RescueTest, TakesTheTasksOfTheDeadAtOnce) {
  db::Orphan orphan;
  orphan.instance_gone = true;
  EXPECT_EQ(judge({orphan}, now).size(), 1u);
}

TEST_F(RescueTest, TakesAnExpiredTaskOfTheLivingOnlyWhenItStaysSo) {
  db::Orphan orphan;
  orphan.task.lease = random_uuid();
  orphan.instance_gone = false;
  EXPECT_TRUE(judge({orphan}, now).empty());
  EXPECT_TRUE(judge({orphan}, now + 59s).empty());
  EXPECT_EQ(judge({orphan}, now + 60s).size(), 1u);

  auto next_lease = orphan;
  next_lease.task.lease = random_uuid();
  EXPECT_TRUE(judge({next_lease}, now + 61s).empty());
  EXPECT_TRUE(judge({}, now + 62s).empty());
  EXPECT_TRUE(judge({next_lease}, now + 200s).empty()) << "it was not expired between";
}

TEST_F(RescueTest, LeavesAnExpiredTaskOfTheLivingForAsLongAsItsLeaseWasMadeFor) {
  db::Orphan orphan;
  orphan.task.lease = random_uuid();
  orphan.task.claimed_at = Time{1h};
  orphan.task.lease_until = Time{1h + 630s};
  orphan.instance_gone = false;
  EXPECT_TRUE(judge({orphan}, now).empty());
  EXPECT_TRUE(judge({orphan}, now + 629s).empty());
  EXPECT_EQ(judge({orphan}, now + 630s).size(), 1u);
}

TEST_F(RescueTest, GoesOnWhereItsLastLookEnded) {
  db::Orphan orphan;
  orphan.task.lease = random_uuid();
  orphan.instance_gone = false;
  const TaskId next = random_uuid();
  EXPECT_EQ(rescue.from(), TaskId{});
  EXPECT_TRUE(judge({orphan}, now, next).empty());
  EXPECT_EQ(rescue.from(), next);
  EXPECT_TRUE(judge({}, now + 30s).empty());
  EXPECT_EQ(rescue.from(), TaskId{});
  EXPECT_EQ(judge({orphan}, now + 60s, next).size(), 1u) << "the round's other look was elsewhere";
}

TEST(BeatPeriod, IsShortEnoughForRescueAfter) {
  EXPECT_EQ(beat_period(60s), 5s);
  EXPECT_EQ(beat_period(2s), 500ms);
}

}  // namespace
}  // namespace postern::scheduler
