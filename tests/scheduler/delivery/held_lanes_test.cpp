// Lanes that a claim has held back.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "scheduler/delivery/lanes.h"

namespace postern::scheduler {
namespace {

using Lanes = std::vector<LaneId>;
const Monotonic kNow{};

LaneRoom any_room(LaneId) {
  LaneRoom room;
  room.allowance = 1;
  return room;
}
bool fits(const LaneRoom&) { return true; }
LaneId of_tenant(LaneId tenant, LaneId lane) { return (tenant << 40) + lane; }

// 5,000 lanes of tenant 1 and one of tenant 2.
std::vector<db::HeldLane> many_held(Milliseconds wait, bool full_up) {
  std::vector<db::HeldLane> held;
  for (LaneId lane = 0; lane < 5'000; ++lane) held.push_back({of_tenant(1, lane), wait, full_up});
  held.push_back({of_tenant(2, 0), wait, full_up});
  return held;
}

// What the lanes that came back are, which are forgotten.
Lanes taken(KnownLanes& lanes) {
  Lanes out;
  std::vector<db::LaneSlots> asked;
  while (!lanes.empty()) {
    for (const auto& each : asked = lanes.share(10'000, any_room, fits, kNow))
      out.push_back(each.lane);
    lanes.claimed(asked, {});
  }
  return out;
}

TEST(HeldLanes, HundredsThatAClaimHasHeldAreAskedAgainInTurn) {
  KnownLanes lanes;
  lanes.hold(many_held(Milliseconds{1'000}, false), kNow);
  lanes.release(kNow + Milliseconds{999});
  EXPECT_TRUE(lanes.empty());
  lanes.release(kNow + Milliseconds{1'000});
  auto first = taken(lanes);
  EXPECT_LE(first.size(), 300U);
  EXPECT_EQ(std::ranges::count(first, of_tenant(2, 0)), 1) << "behind nobody else's";
  std::set<LaneId> asked(first.begin(), first.end());
  std::size_t turns = 0;
  for (auto now = kNow + Milliseconds{1'000}; lanes.release_at(); now += Milliseconds{10}) {
    ASSERT_LE(now, kNow + Milliseconds{7'000});
    lanes.release(now);
    const auto some = taken(lanes);
    EXPECT_LE(some.size(), 60U);
    turns += some.empty() ? 0 : 1;
    asked.insert(some.begin(), some.end());
  }
  EXPECT_EQ(asked.size(), 5'001U);
  EXPECT_LE(turns, 110U) << "some at a time, for a claim costs more than a lane";
}

TEST(HeldLanes, NewWorkChangesNothingForThoseThatAClaimHasHeld) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  lanes.hold(std::vector<db::HeldLane>{{1, Milliseconds{200}, true}}, kNow);
  EXPECT_EQ(lanes.size(), 1U);
  lanes.add(Lanes{1, 3});
  EXPECT_EQ(lanes.size(), 2U);
  lanes.place_freed();
  EXPECT_EQ(lanes.size(), 3U);
}

TEST(HeldLanes, AreAskedAgainWhenLimitsHaveChangedOnceASecond) {
  KnownLanes lanes;
  const auto start = kNow + Milliseconds{5'000};
  lanes.hold(many_held(Milliseconds{1'000}, false), start);
  lanes.limits_changed();
  EXPECT_LE(lanes.release_at(), start);
  lanes.release(start);
  EXPECT_EQ(taken(lanes).size(), 5'001U);
  lanes.hold(many_held(Milliseconds{3'600'000}, false), start);
  lanes.limits_changed();
  EXPECT_EQ(lanes.release_at(), start + Milliseconds{1'000});
  lanes.release(start + Milliseconds{999});
  EXPECT_TRUE(lanes.empty());
  lanes.release(start + Milliseconds{1'000});
  EXPECT_EQ(taken(lanes).size(), 5'001U);
}

TEST(HeldLanes, APlaceWakesSomeOfEachTenant) {
  KnownLanes lanes;
  lanes.hold(many_held(Milliseconds{200}, true), kNow);
  lanes.place_freed();
  const auto woken = taken(lanes);
  EXPECT_LE(woken.size(), 200U);
  EXPECT_EQ(std::ranges::count(woken, of_tenant(2, 0)), 1);
}

}  // namespace
}  // namespace postern::scheduler
