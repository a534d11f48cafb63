#include "scheduler/delivery/unsent_bodies.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

TEST(UnsentBodies, ATenantHasThreeQuarters) {
  UnsentBodies budget(100);
  budget.hold(1, 7, 74);
  EXPECT_TRUE(budget.has_room(7));
  budget.hold(2, 7, 1);
  EXPECT_FALSE(budget.has_room(7));
  EXPECT_TRUE(budget.has_room(8));
  EXPECT_TRUE(budget.let_go(1));
  EXPECT_TRUE(budget.has_room(7));
  EXPECT_EQ(budget.held_by(7), 1U);
  EXPECT_EQ(budget.held(), 1U);
}

TEST(UnsentBodies, NobodyHasRoomWhenAllIsHeld) {
  UnsentBodies budget(100);
  budget.hold(1, 7, 60);
  budget.hold(2, 8, 40);
  for (const LaneTenant tenant : {7U, 8U, 9U}) EXPECT_FALSE(budget.has_room(tenant));
  budget.let_go(2);
  EXPECT_TRUE(budget.has_room(9));
}

TEST(UnsentBodies, OneBodyMayBeLargerThanAll) {
  UnsentBodies budget(100);
  EXPECT_TRUE(budget.has_room(7));
  budget.hold(1, 7, 1'000);
  EXPECT_FALSE(budget.has_room(8));
  budget.let_go(1);
  EXPECT_TRUE(budget.has_room(7));
}

TEST(UnsentBodies, CountsAnAttemptOnce) {
  UnsentBodies budget(100);
  budget.hold(1, 7, 10);
  budget.hold(1, 7, 15);
  EXPECT_EQ(budget.held(), 15U) << "the request is larger than the task's body";
  budget.hold(2, 7, 0);
  EXPECT_FALSE(budget.let_go(2));
  EXPECT_TRUE(budget.let_go(1));
  EXPECT_FALSE(budget.let_go(1));
  EXPECT_EQ(budget.held(), 0U);
  EXPECT_EQ(budget.held_by(7), 0U);
}

}  // namespace
}  // namespace postern::scheduler
