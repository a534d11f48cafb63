#include "scheduler/delivery/parking.h"

#include <gtest/gtest.h>

#include <chrono>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

const Monotonic kStart{1h};
constexpr LaneTenant kTenant = 7;

// Starts attempts with numbers of their own, at a time that passes.
struct Parked {
  Parked(int slots, int places) : parking(slots, places) {}
  AttemptNumber start(Pace pace = Pace::quick, LaneTenant tenant = kTenant) {
    parking.start(next, LaneId{tenant} << 40 | static_cast<LaneId>(next), pace, now);
    return next++;
  }
  int park() {
    int parked = 0;
    while (parking.park_next(now)) ++parked;
    return parked;
  }

  Parking parking;
  Monotonic now = kStart;
  AttemptNumber next = 100;
};

TEST(Parking, AnAttemptLeavesItsSlotAfterATenthOfASecond) {
  Parked all(4, 100);
  all.start();
  all.now += 60ms;
  all.start();
  EXPECT_EQ(all.parking.free_slots(), 2);
  EXPECT_EQ(all.parking.wake_at(), kStart + 100ms);
  all.now = kStart + 99ms;
  EXPECT_EQ(all.park(), 0);
  all.now = kStart + 100ms;
  EXPECT_EQ(all.parking.park_next(all.now), (Parking::Parked{LaneId{kTenant} << 40 | 100, true}));
  EXPECT_EQ(all.park(), 0);
  EXPECT_EQ(all.parking.free_slots(), 3);
  EXPECT_EQ(all.parking.parked(), 1);
  EXPECT_EQ(all.parking.wake_at(), kStart + 160ms);
}

TEST(Parking, OneThatEndedIsNotParked) {
  Parked all(4, 100);
  const auto first = all.start();
  all.now += 10ms;
  const auto second = all.start();
  all.now += 10ms;
  all.start();
  EXPECT_TRUE(all.parking.end(second).held_slot);
  EXPECT_EQ(all.parking.wake_at(), kStart + 100ms);
  EXPECT_TRUE(all.parking.end(first).held_slot);
  EXPECT_EQ(all.parking.wake_at(), kStart + 120ms);
  all.now += 1s;
  EXPECT_EQ(all.park(), 1);
  EXPECT_FALSE(all.parking.end(102).held_slot);
  EXPECT_EQ(all.parking.parked(), 0);
  EXPECT_EQ(all.parking.free_slots(), 4);
  EXPECT_EQ(all.parking.wake_at(), std::nullopt);
}

TEST(Parking, ASlowOneGoesToAPlaceAtOnceAndToASlotIfThereIsNone) {
  Parked all(4, 2);
  all.start(Pace::slow);
  all.start(Pace::slow);
  EXPECT_EQ(all.parking.free_slots(), 4);
  const auto third = all.start(Pace::slow);
  EXPECT_EQ(all.parking.free_slots(), 3);
  EXPECT_EQ(all.parking.wake_at(), std::nullopt) << "nothing can be parked";
  all.now += 1s;
  EXPECT_EQ(all.park(), 0);
  all.parking.end(100);
  EXPECT_EQ(all.park(), 1);
  EXPECT_FALSE(all.parking.end(third).held_slot);
}

TEST(Parking, PassesOverThoseThatEndedBehindOneThatCouldNotBeParked) {
  Parked all(4, 1);
  all.start();
  all.start();
  all.now += 1s;
  EXPECT_EQ(all.park(), 1);
  for (int i = 0; i < 10'000; ++i) all.parking.end(all.start());
  EXPECT_EQ(all.parking.free_slots(), 3);
  all.parking.end(100);
  EXPECT_EQ(all.park(), 1);
  EXPECT_EQ(all.parking.wake_at(), std::nullopt);
}

TEST(Parking, KeepsPlacesForQuickOnesThatTurnOutNotToBe) {
  Parked all(16, 100);
  EXPECT_EQ(all.parking.free_places(true), 84);
  EXPECT_EQ(all.parking.free_places(false), 72) << "an eighth is for lanes' first attempts";
  all.start(Pace::doubtful);
  all.start(Pace::probe);
  all.start(Pace::slow);
  EXPECT_EQ(all.parking.free_places(true), 81);
  all.start(Pace::quick);
  EXPECT_EQ(all.parking.free_places(true), 81);
  all.now += 1s;
  EXPECT_EQ(all.park(), 3);
  EXPECT_EQ(all.parking.free_places(true), 80);
  for (AttemptNumber each = 100; each < 104; ++each) all.parking.end(each);
  EXPECT_EQ(all.parking.free_places(true), 84);
}

TEST(Parking, ProbesAndDoubtfulOnesHaveAPartOfTheSlots) {
  Parked all(16, 100);
  EXPECT_EQ(all.parking.free_slots(Pace::probe, true), 4);
  EXPECT_EQ(all.parking.free_slots(Pace::doubtful, true), 8);
  const auto probe = all.start(Pace::probe);
  all.start(Pace::doubtful);
  EXPECT_EQ(all.parking.free_slots(Pace::probe, true), 3);
  EXPECT_EQ(all.parking.free_slots(Pace::doubtful, true), 7);
  EXPECT_EQ(all.parking.free_slots(Pace::doubtful, false), 3)
      << "the rest is for other lanes' first";
  all.parking.end(probe);
  EXPECT_EQ(all.parking.free_slots(Pace::probe, true), 4);
  all.now += 1s;
  all.park();
  EXPECT_EQ(all.parking.free_slots(Pace::doubtful, true), 8);
}

TEST(Parking, CountsATenantsPlaces) {
  Parked all(16, 100);
  EXPECT_EQ(all.parking.tenant_places(kTenant, true), 50);
  EXPECT_EQ(all.parking.tenant_places(kTenant, false), 44);
  EXPECT_EQ(Parking(16, 25).tenant_places(kTenant, true), 15) << "as many as slots at least";
  EXPECT_EQ(Parking(16, 20).tenant_places(kTenant, true), 12) << "but a quarter is for others";
  const auto slow = all.start(Pace::slow);
  all.start(Pace::quick);
  all.start(Pace::doubtful, kTenant + 1);
  EXPECT_EQ(all.parking.tenant_places(kTenant, true), 49);
  EXPECT_EQ(all.parking.tenant_places(kTenant + 1, true), 49);
  all.now += 1s;
  all.park();
  EXPECT_EQ(all.parking.tenant_places(kTenant, true), 48);
  EXPECT_EQ(all.parking.tenant_places(kTenant + 1, true), 49);
  all.parking.end(slow);
  all.parking.end(101);
  EXPECT_EQ(all.parking.tenant_places(kTenant, true), 50);
}

TEST(Parking, ATenantLeavesAQuarterOfTheSlotsAndOfTheirPartsToOthers) {
  for (const auto& [pace, most] :
       {std::pair{Pace::quick, 16}, {Pace::doubtful, 8}, {Pace::probe, 4}}) {
    Parked all(16, 100);
    const int free = all.parking.free_slots(pace, true);
    EXPECT_EQ(free, most);
    EXPECT_EQ(all.parking.tenant_room(kTenant, pace, true), most);
    for (int i = 0; i < most; ++i) all.start(pace);
    EXPECT_EQ(all.parking.free_slots(pace, true), most / 4);
    EXPECT_EQ(all.parking.parked(), most / 4) << "the rest begins in places";
    EXPECT_EQ(all.parking.tenant_slots(kTenant), most);
    EXPECT_EQ(all.parking.tenant_room(kTenant, pace, true), 0);
    EXPECT_EQ(all.parking.tenant_room(kTenant + 1, pace, true), most);
    for (AttemptNumber each = 100; all.parking.tenant_slots(kTenant) > 0; ++each)
      all.parking.end(each);
    EXPECT_EQ(all.parking.free_slots(pace, true), most);
    EXPECT_EQ(all.parking.parked(), 0);
  }
}

TEST(Parking, OneThatBeganInAPlaceLeavesItsTenantsShareInTime) {
  Parked all(16, 4);
  for (int i = 0; i < 16; ++i) all.start();
  EXPECT_EQ(all.parking.parked(), 4);
  EXPECT_EQ(all.parking.tenant_room(kTenant), 0);
  for (AttemptNumber each = 100; each < 112; ++each) all.parking.end(each);
  EXPECT_EQ(all.parking.tenant_room(kTenant), 8) << "no place is left for more";
  EXPECT_EQ(all.parking.wake_at(), kStart + 100ms) << "they need no place";
  all.now += 100ms;
  EXPECT_EQ(all.parking.park_next(all.now), (Parking::Parked{LaneId{kTenant} << 40 | 112, false}));
  EXPECT_EQ(all.park(), 3);
  EXPECT_EQ(all.parking.parked(), 4);
  EXPECT_EQ(all.parking.tenant_slots(kTenant), 0);
  EXPECT_EQ(all.parking.tenant_room(kTenant), 12);
  for (AttemptNumber each = 112; each < 116; ++each) EXPECT_FALSE(all.parking.end(each).held_slot);
  EXPECT_EQ(all.parking.tenant_room(kTenant), 16);
}

LaneRoom wants(Pace pace, bool idle = false, LaneTenant tenant = kTenant) {
  LaneRoom room;
  room.allowance = 1'000;
  room.idle = idle;
  room.pace = pace;
  room.tenant = tenant;
  return room;
}

int fit(const Parking& parking, const LaneRoom& room) {
  ClaimBudget budget(parking);
  int count = 0;
  while (count < 1'000 && budget.take(room)) ++count;
  return count;
}

TEST(ClaimBudget, HoldsForAllLanesTogether) {
  Parked all(16, 100);
  EXPECT_EQ(fit(all.parking, wants(Pace::quick)), 1'000);
  EXPECT_EQ(fit(all.parking, wants(Pace::probe)), 4);
  EXPECT_EQ(fit(all.parking, wants(Pace::doubtful)), 4);
  EXPECT_EQ(fit(all.parking, wants(Pace::doubtful, true)), 8);
  EXPECT_EQ(fit(all.parking, wants(Pace::slow, true)), 50) << "the tenant's share";
  EXPECT_EQ(fit(all.parking, wants(Pace::slow)), 44) << "less what is for first attempts";
  ClaimBudget budget(all.parking);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(budget.take(wants(Pace::slow, true)));
  for (int i = 0; i < 34; ++i) EXPECT_TRUE(budget.take(wants(Pace::slow, true, kTenant + 1)));
  EXPECT_FALSE(budget.take(wants(Pace::slow, true, kTenant + 1))) << "the places are used up";
  EXPECT_FALSE(budget.take(wants(Pace::doubtful, false, kTenant + 1)));
  EXPECT_TRUE(budget.take(wants(Pace::doubtful, true, kTenant + 1))) << "a lane's first attempt";
  EXPECT_FALSE(budget.take(wants(Pace::doubtful, true))) << "but not beyond the tenant's share";
  EXPECT_TRUE(budget.take(wants(Pace::quick)));
}

}  // namespace
}  // namespace postern::scheduler
