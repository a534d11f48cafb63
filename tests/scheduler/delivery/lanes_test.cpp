#include "scheduler/delivery/lanes.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

namespace postern::scheduler {
namespace {

using Lanes = std::vector<std::int64_t>;
using Shares = std::map<std::int64_t, int>;

LaneRoom room(int in_slots, int allowance) {
  LaneRoom room;
  room.in_slots = in_slots;
  room.allowance = allowance;
  return room;
}
LaneRoom kAnyRoom(LaneId) { return room(0, 1'000); }
bool kFits(const LaneRoom&) { return true; }
const Monotonic kNow{};

std::vector<db::LaneSlots> share(KnownLanes& lanes, int free,
                                 const KnownLanes::RoomOf& room_of = kAnyRoom) {
  return lanes.share(free, room_of, kFits, kNow);
}

Shares shares(KnownLanes& lanes, int free) {
  Shares out;
  for (const auto& [lane, slots] : share(lanes, free)) out[lane] = slots;
  return out;
}

std::vector<db::Claimed> tasks_of(std::int64_t lane, int count) {
  std::vector<db::Claimed> tasks(static_cast<std::size_t>(count));
  for (auto& task : tasks) task.lane = lane;
  return tasks;
}

TEST(KnownLanes, GivesOneLaneAllSlots) {
  KnownLanes lanes;
  lanes.add(Lanes{7});
  EXPECT_EQ(shares(lanes, 256), (Shares{{7, 256}}));
}

TEST(KnownLanes, SharesEvenlyAndLetsTheRestGoRound) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  EXPECT_EQ(shares(lanes, 9), (Shares{{1, 3}, {2, 3}, {3, 3}}));
  EXPECT_EQ(shares(lanes, 10), (Shares{{1, 4}, {2, 3}, {3, 3}}));
  EXPECT_EQ(shares(lanes, 10), (Shares{{1, 3}, {2, 4}, {3, 3}}));
  EXPECT_EQ(shares(lanes, 11), (Shares{{1, 4}, {2, 3}, {3, 4}}));
}

TEST(KnownLanes, TakesTurnsWhenThereAreMoreLanesThanSlots) {
  KnownLanes lanes;
  lanes.add(Lanes{0, 1, 2, 3, 4});
  Shares served;
  for (int i = 0; i < 10; ++i) {
    for (const auto& [lane, slots] : shares(lanes, 2)) served[lane] += slots;
  }
  EXPECT_EQ(served, (Shares{{0, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 4}}));
}

// Ids of lanes of other tenants; the first bits of some make them negative.
LaneId of_tenant(LaneId tenant, LaneId lane) {
  return static_cast<LaneId>(static_cast<std::uint64_t>(tenant) << 40) + lane;
}
std::map<LaneTenant, int> by_tenant(const std::vector<db::LaneSlots>& shares) {
  std::map<LaneTenant, int> out;
  for (const auto& [lane, slots] : shares) out[lane_tenant(lane)] += slots;
  return out;
}

TEST(KnownLanes, SharesAmongTenantsFirstHoweverManyLanesTheyHave) {
  KnownLanes lanes;
  for (LaneId lane = 0; lane < 5'000; ++lane) lanes.add(Lanes{of_tenant(1, lane)});
  lanes.add(Lanes{of_tenant(0xffffff, 7), of_tenant(2, 1), of_tenant(2, 2)});
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(by_tenant(share(lanes, 255)),
              (std::map<LaneTenant, int>{{1, 85}, {2, 85}, {0xffffff, 85}}));
  }
  std::set<LaneId> served;
  for (int i = 0; i < 150; ++i) {
    for (const auto& [lane, slots] : share(lanes, 255)) served.insert(lane);
  }
  EXPECT_EQ(served.size(), 5'003U) << "each in its turn";
}

TEST(KnownLanes, CountsWhatATenantHoldsAlready) {
  KnownLanes lanes;
  for (LaneId lane = 0; lane < 100; ++lane) lanes.add(Lanes{of_tenant(1, lane)});
  lanes.add(Lanes{of_tenant(2, 1)});
  const auto room_of = [](LaneId lane) {
    auto all = room(0, 100);
    if (lane_tenant(lane) == 1) all.of_tenant = 150;
    return all;
  };
  EXPECT_EQ(by_tenant(share(lanes, 50, room_of)), (std::map<LaneTenant, int>{{2, 50}}));
  EXPECT_EQ(by_tenant(share(lanes, 1, room_of)), (std::map<LaneTenant, int>{{2, 1}}));
}

TEST(KnownLanes, WhatATenantMayNotHaveGoesToTheOthers) {
  KnownLanes lanes;
  lanes.add(Lanes{of_tenant(1, 1), of_tenant(2, 1), of_tenant(3, 1)});
  const auto room_of = [](LaneId lane) { return room(0, lane_tenant(lane) == 1 ? 2 : 1'000); };
  EXPECT_EQ(by_tenant(share(lanes, 62, room_of)),
            (std::map<LaneTenant, int>{{1, 2}, {2, 30}, {3, 30}}));
}

TEST(KnownLanes, ATenantGetsNoMoreThanItMayHaveOverAllItsLanes) {
  KnownLanes lanes;
  int allowance = 30;
  for (LaneId lane = 0; lane < 5'000; ++lane) lanes.add(Lanes{of_tenant(1, lane)});
  lanes.add(Lanes{of_tenant(2, 1)});
  const auto room_of = [&](LaneId lane) {
    auto all = room(0, 10);
    if (lane_tenant(lane) == 1) all.tenant_allowance = allowance;
    return all;
  };
  EXPECT_EQ(by_tenant(share(lanes, 100, room_of)), (std::map<LaneTenant, int>{{1, 30}, {2, 10}}));
  allowance = 0;
  EXPECT_EQ(by_tenant(share(lanes, 100, room_of)), (std::map<LaneTenant, int>{{2, 10}}));
  EXPECT_EQ(lanes.size(), 5'001U) << "none is held: they need not be asked one by one";
  EXPECT_TRUE(lanes.may_share());
  lanes.claimed(std::vector<db::LaneSlots>{{of_tenant(2, 1), 10}}, {});
  EXPECT_TRUE(share(lanes, 100, room_of).empty());
  EXPECT_FALSE(lanes.may_share()) << "or the scheduler would ask for ever";
  lanes.attempt_ended(of_tenant(1, 7));
  EXPECT_TRUE(lanes.may_share());
  EXPECT_TRUE(share(lanes, 100, room_of).empty());
  lanes.room_freed();
  EXPECT_TRUE(lanes.may_share());
  EXPECT_TRUE(share(lanes, 100, room_of).empty());
  lanes.add(Lanes{of_tenant(2, 1)});
  EXPECT_EQ(by_tenant(share(lanes, 100, room_of)), (std::map<LaneTenant, int>{{2, 10}}));
}

TEST(KnownLanes, TakesTurnsWhenThereAreMoreTenantsThanSlots) {
  KnownLanes lanes;
  for (LaneId tenant = 1; tenant <= 5; ++tenant) {
    for (LaneId lane = 0; lane < tenant; ++lane) lanes.add(Lanes{of_tenant(tenant, lane)});
  }
  std::map<LaneTenant, int> served;
  for (int i = 0; i < 10; ++i) {
    for (const auto& [tenant, slots] : by_tenant(share(lanes, 2))) served[tenant] += slots;
  }
  EXPECT_EQ(served, (std::map<LaneTenant, int>{{1, 4}, {2, 4}, {3, 4}, {4, 4}, {5, 4}}));
}

TEST(KnownLanes, ATenantsLanesThatMayHaveNothingAreHeldAndItsOthersGoOn) {
  KnownLanes lanes;
  for (LaneId lane = 0; lane < 50; ++lane) lanes.add(Lanes{of_tenant(1, lane)});
  const auto room_of = [](LaneId lane) { return room(0, lane % 2 == 0 ? 0 : 1); };
  EXPECT_EQ(share(lanes, 100, room_of).size(), 25U);
  EXPECT_EQ(lanes.size(), 25U);
}

TEST(KnownLanes, HasNothingToShareWithoutLanesOrSlots) {
  KnownLanes lanes;
  EXPECT_TRUE(share(lanes, 5).empty());
  lanes.add(Lanes{1});
  EXPECT_TRUE(share(lanes, 0).empty());
  EXPECT_TRUE(share(lanes, -3).empty());
}

TEST(KnownLanes, ForgetsALaneThatHadLessThanAskedFor) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  const auto asked = share(lanes, 8);
  lanes.claimed(asked, tasks_of(2, 4));
  EXPECT_EQ(shares(lanes, 8), (Shares{{2, 8}}));
  lanes.claimed(std::vector<db::LaneSlots>{{2, 8}}, tasks_of(2, 7));
  EXPECT_TRUE(lanes.empty());
}

TEST(KnownLanes, KeepsALaneThatWasAddedWhileItWasClaimedFrom) {
  KnownLanes lanes;
  lanes.add(Lanes{1});
  const auto asked = share(lanes, 8);
  lanes.add(Lanes{1});
  lanes.claimed(asked, {});
  EXPECT_EQ(lanes.size(), 1u);
  lanes.claimed(share(lanes, 8), {});
  EXPECT_TRUE(lanes.empty());
}

TEST(KnownLanes, CountsWhatALaneHoldsAlready) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  const auto room_of = [](std::int64_t lane) { return room(lane == 1 ? 6 : 0, 100); };
  std::map<std::int64_t, int> got;
  for (const auto& [lane, slots] : share(lanes, 8, room_of)) got[lane] = slots;
  EXPECT_EQ(got, (Shares{{2, 4}, {3, 4}}));
  got.clear();
  for (const auto& [lane, slots] : share(lanes, 15, room_of)) got[lane] = slots;
  EXPECT_EQ(got, (Shares{{1, 1}, {2, 7}, {3, 7}}));
}

TEST(KnownLanes, GivesNoLaneMoreThanItsAllowance) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  const auto room_of = [](std::int64_t lane) { return room(0, lane == 1 ? 2 : 100); };
  std::map<std::int64_t, int> got;
  for (const auto& [lane, slots] : share(lanes, 20, room_of)) got[lane] = slots;
  EXPECT_EQ(got, (Shares{{1, 2}, {2, 18}}));
}

TEST(KnownLanes, HeldOnesComeBackWhenTheirTimeHasCome) {
  const Monotonic start{};
  KnownLanes lanes;
  lanes.hold(std::vector<db::HeldLane>{{1, Milliseconds{20}, false}, {2, Milliseconds{50}, true}},
             start);
  EXPECT_EQ(lanes.release_at(), start + Milliseconds{20});
  lanes.release(start + Milliseconds{19});
  EXPECT_TRUE(lanes.empty());
  lanes.release(start + Milliseconds{20});
  EXPECT_EQ(shares(lanes, 4), (Shares{{1, 4}}));
  EXPECT_EQ(lanes.release_at(), start + Milliseconds{50});
}

TEST(KnownLanes, AFreedPlaceBringsBackThoseThatWaitForOne) {
  const Monotonic start{};
  KnownLanes lanes;
  lanes.hold(std::vector<db::HeldLane>{{1, Milliseconds{20}, false}, {2, Milliseconds{50}, true}},
             start);
  lanes.place_freed();
  lanes.release(start + Milliseconds{1});
  EXPECT_EQ(shares(lanes, 4), (Shares{{2, 4}}));
}

TEST(KnownLanes, HoldsWhatHasNoAllowanceUntilItsTimeOrItsAttemptsEnd) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  const auto room_of = [](LaneId lane) {
    LaneRoom out = room(0, lane == 3 ? 5 : 0);
    if (lane != 3) out.retry_at = kNow + Milliseconds{lane == 1 ? 30 : 40};
    return out;
  };
  EXPECT_EQ(share(lanes, 4, room_of).size(), 1U);
  EXPECT_EQ(lanes.size(), 1U);
  EXPECT_EQ(lanes.release_at(), kNow + Milliseconds{30});
  lanes.place_freed();
  lanes.room_freed();
  EXPECT_EQ(lanes.size(), 1U) << "only time helps, or their own attempts";
  lanes.attempt_ended(2);
  lanes.attempt_ended(7);
  EXPECT_EQ(shares(lanes, 4), (Shares{{2, 2}, {3, 2}}));
  lanes.release(kNow + Milliseconds{30});
  EXPECT_EQ(lanes.size(), 3U);
  EXPECT_EQ(lanes.release_at(), std::nullopt);
}

TEST(KnownLanes, LanesThatWaitForRoomAreAskedWhenThereIsSome) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  lanes.hold(std::vector<db::HeldLane>{{3, Milliseconds{20}, true}}, kNow);
  const auto none = [](LaneId) { return room(0, 0); };
  EXPECT_TRUE(share(lanes, 4, none).empty());
  EXPECT_TRUE(lanes.empty());
  EXPECT_TRUE(lanes.waiting());
  EXPECT_EQ(lanes.release_at(), kNow + Milliseconds{20}) << "and after a second at the latest";
  lanes.room_freed();
  EXPECT_EQ(shares(lanes, 4), (Shares{{1, 2}, {2, 2}}))
      << "not the one that waits for a settlement";
}

TEST(KnownLanes, LanesThatDoNotFitInTogetherAreHeld) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  int left = 2;
  const auto take = [&](const LaneRoom&) { return left-- > 0; };
  EXPECT_EQ(lanes.share(9, kAnyRoom, take, kNow).size(), 2U);
  EXPECT_EQ(lanes.size(), 2U);
  lanes.room_freed();
  EXPECT_EQ(lanes.size(), 3U);
}

TEST(KnownLanes, OnlyTheFirstAttemptOfALaneIsItsFirst) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  std::vector<bool> idle;
  const auto take = [&](const LaneRoom& room) { return idle.push_back(room.idle), true; };
  lanes.share(4, kAnyRoom, take, kNow);
  EXPECT_EQ(idle, (std::vector<bool>{true, true, false, false}));
}

TEST(KnownLanes, LooksAtNoMoreLanesThanItTakes) {
  KnownLanes lanes;
  Lanes many(10'000);
  std::iota(many.begin(), many.end(), 1);
  lanes.add(many);
  int looks = 0;
  const auto room_of = [&](LaneId lane) {
    ++looks;
    return room(lane % 2 == 0 ? 1 : 0, 5);
  };
  std::set<LaneId> served;
  for (int i = 0; i < 500; ++i) {
    for (const auto& [lane, slots] : share(lanes, 10, room_of)) {
      EXPECT_EQ(slots, 1);
      served.insert(lane);
    }
  }
  EXPECT_EQ(served.size(), 5'000U) << "all that hold nothing, in turn";
  EXPECT_LE(looks, 10'500);

  looks = 0;
  const auto busy = [&](LaneId) { return ++looks, room(3, 5); };
  EXPECT_EQ(share(lanes, 10, busy).size(), 10U);
  EXPECT_LE(looks, 2'000) << "a few thousand that hold slots are too many to be compared";
}

TEST(KnownLanes, WakesTheFirstOfManyThatWait) {
  KnownLanes lanes;
  Lanes many(1'000);
  std::iota(many.begin(), many.end(), 1);
  lanes.add(many);
  const auto none = [](LaneId) { return room(0, 0); };
  EXPECT_TRUE(share(lanes, 4, none).empty());
  for (int i = 0; i < 10 && lanes.size() < 1'000; ++i) lanes.room_freed();
  EXPECT_EQ(lanes.size(), 1'000U);
}

TEST(ParseLanes, ReadsIdsOrNothing) {
  EXPECT_EQ(parse_lanes("1,-2,9223372036854775807"), (Lanes{1, -2, INT64_MAX}));
  EXPECT_EQ(parse_lanes("5"), (Lanes{5}));
  for (const char* payload : {"", "x", "1;2", "1,x", "1, 2", "99999999999999999999"}) {
    EXPECT_EQ(parse_lanes(payload), Lanes{}) << payload;
  }
}

}  // namespace
}  // namespace postern::scheduler
