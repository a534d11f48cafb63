// How lanes and tenants share slots and places when their receivers are well, in virtual time.
#include <gtest/gtest.h>

#include "tests/scheduler/delivery/simulation.h"

namespace postern::scheduler {
namespace {

using namespace test;

constexpr Milliseconds kQuick = 5ms;
constexpr Milliseconds kSoon = 10ms;

Milliseconds time_for(Simulation& simulation, LaneId lane, int tasks) {
  const auto begin = simulation.now;
  const int goal = simulation.answered[lane] + tasks;
  simulation.add_tasks(lane, tasks);
  while (simulation.answered[lane] < goal && simulation.now < begin + 1h) simulation.run_for(1ms);
  return std::chrono::duration_cast<Milliseconds>(simulation.now - begin);
}

TEST(PacingShares, OneLaneAloneReachesItsShareInAFewRounds) {
  Simulation simulation;
  const LaneId lane = simulation.add_lane(answers_in(50ms));
  simulation.add_tasks(lane, 100'000);
  simulation.run_for(12 * 50ms);
  EXPECT_EQ(simulation.in_flight, simulation.pacing.lane_share());
  EXPECT_EQ(simulation.pacing.lane_share(), 512);
}

// A batch under hundreds of queue names is still one tenant's.
TEST(PacingShares, ATenantWithManyLanesDoesNotSlowOneWithFew) {
  Simulation simulation;
  for (int i = 0; i < 400; ++i) {
    simulation.add_tasks(simulation.add_lane(answers_in(20ms), true, "crowd"), 100);
  }
  const LaneId lane = simulation.add_lane(answers_in(20ms), false, "modest");
  simulation.run_for(100ms);
  simulation.begin_counting();
  for (int i = 0; i < 100; ++i) {
    simulation.add_tasks(lane, 2);
    simulation.run_for(10ms);
  }
  EXPECT_LE(simulation.waited(), 30ms);
  EXPECT_EQ(simulation.ready(lane), 0);
}

// At the first instant, before anything that hangs is parked.
TEST(PacingShares, ATenantWhoseLanesAllHangAtOnceLeavesSlotsToAnother) {
  for (const bool known : {true, false}) {
    Simulation simulation;
    bool hangs = !known;
    std::vector<LaneId> crowd;
    for (int i = 0; i < 300; ++i) {
      crowd.push_back(simulation.add_lane(
          [&](Monotonic, std::mt19937&) {
            return hangs ? std::nullopt : std::optional<Milliseconds>(kQuick);
          },
          true, "crowd"));
      simulation.add_tasks(crowd.back(), known ? 20 : 0);
    }
    simulation.run_for(1s);
    hangs = true;
    for (const LaneId lane : crowd) simulation.add_tasks(lane, 100);
    simulation.run_for(5ms);
    simulation.begin_counting();
    const LaneId one = simulation.add_lane(answers_in(kQuick), false, "modest");
    for (int i = 0; i < 200; ++i) {
      simulation.add_task(one);
      simulation.run_for(2ms);
    }
    EXPECT_LE(simulation.waited(1), kSoon) << known;
    EXPECT_LE(simulation.most_slots_hanging, simulation.slots * 3 / 4) << known;
    EXPECT_EQ(simulation.ready(one), 0) << known;
  }
}

TEST(PacingShares, ATenantAloneHasAsManyUnderWayAsThereAreSlots) {
  Simulation simulation;
  for (int i = 0; i < 64; ++i) simulation.add_tasks(simulation.add_lane(answers_in(80ms)), 1'000);
  simulation.run_for(2s);
  simulation.begin_counting();
  simulation.run_for(5s);
  EXPECT_GE(simulation.started, 5'000 / 80 * simulation.slots * 9 / 10);
  EXPECT_LE(simulation.most_in_flight, simulation.slots);
  EXPECT_LE(simulation.turns, 4 * simulation.started) << "nor does it poll for more";
}

TEST(PacingShares, TheSmallBeginningDoesNotSlowManyTasks) {
  Simulation simulation;
  const LaneId lane = simulation.add_lane(answers_in(kQuick));
  const auto first = time_for(simulation, lane, 40'000);
  const auto second = time_for(simulation, lane, 40'000);
  EXPECT_LE(first, second * 1.15);
}

TEST(PacingShares, SlowTasksFillTheirLanesShareOnceItIsGrown) {
  Simulation simulation;
  const LaneId lane = simulation.add_lane(answers_in(10s));
  simulation.add_tasks(lane, 10'000);
  simulation.run_for(85s);
  for (int i = 0; i < 40; ++i) {
    simulation.run_for(1s);
    EXPECT_GE(simulation.in_flight, simulation.pacing.lane_share() * 9 / 10);
    EXPECT_LE(simulation.in_flight, simulation.pacing.lane_share());
  }
  EXPECT_EQ(simulation.given_back, 0);
}

TEST(PacingShares, ALaneOfQuickAndSlowTasksKeepsItsThroughput) {
  Simulation simulation;
  simulation.add_lane([](Monotonic, std::mt19937& random) {
    return std::optional<Milliseconds>(random() % 100 < 95 ? kQuick : 20s);
  });
  for (const int per_second : {20, 300}) {
    simulation.begin_counting();
    simulation.run_for(60s, per_second);
    EXPECT_LE(simulation.waited(), kSoon) << per_second;
  }
}

TEST(PacingShares, SlowLanesWithABacklogLeaveTheSlotsToQuickOnes) {
  Simulation simulation;
  for (int i = 0; i < 20; ++i) {
    const bool slow = i < 10;
    const LaneId lane = simulation.add_lane(answers_in(slow ? 10s : kQuick), slow);
    if (slow) simulation.add_tasks(lane, 20'000);
  }
  simulation.run_for(150s, 500);
  EXPECT_LE(simulation.waited(), kSoon);
  EXPECT_LE(simulation.waited(1), 2 * kSoon) << "nor do their waves hold the slots for a moment";
}

TEST(PacingShares, ATenantHoldsHalfOfThePlacesAtMost) {
  Simulation simulation;
  for (int i = 0; i < 20; ++i) {
    simulation.add_tasks(simulation.add_lane(answers_in(10s), true, "greedy"), 5'000);
  }
  simulation.run_for(100s);
  EXPECT_GE(simulation.most_of_tenant["greedy"], simulation.places * 4 / 10);
  const LaneId slow = simulation.add_lane(answers_in(10s), true, "modest");
  const LaneId quick = simulation.add_lane(answers_in(kQuick), false, "modest");
  simulation.add_tasks(slow, 5'000);
  for (int i = 0; i < 10'000; ++i) {
    simulation.add_task(quick);
    simulation.run_for(10ms);
  }
  EXPECT_LE(simulation.most_of_tenant["greedy"], simulation.places / 2);
  EXPECT_GE(simulation.most_of_tenant["modest"], simulation.pacing.lane_share() * 9 / 10);
  EXPECT_LE(simulation.waited(), kSoon);
  EXPECT_LE(simulation.given_back, simulation.started / 100);
}

// Each a lane of its own, as many queues make them.
TEST(PacingShares, ManyLanesOfATenantThatHangLeavePlacesToOthers) {
  Simulation simulation;
  for (int i = 0; i < 6'000; ++i) {
    simulation.add_tasks(simulation.add_lane(never_answers(), true, "greedy"), 10);
  }
  simulation.run_for(5s);
  const LaneId first = simulation.add_lane(answers_in(kQuick), false, "modest");
  for (int i = 1; i < 500; ++i) simulation.add_lane(answers_in(kQuick), false, "modest");
  for (int i = 0; i < 10'000; ++i) {
    simulation.add_task(first + i % 500);
    simulation.run_for(2ms);
  }
  EXPECT_LE(simulation.most_of_tenant["greedy"], simulation.places / 2);
  EXPECT_LE(simulation.waited(), kSoon);
}

TEST(PacingShares, NoMoreAreInFlightThanSlotsAndPlaces) {
  for (const auto& [slots, places] : {std::pair{16, 1}, {16, 24}, {32, 512}}) {
    Simulation simulation(slots, places);
    for (int i = 0; i < 60; ++i) {
      const auto host = i % 3 == 0 ? never_answers() : answers_in(i % 3 == 1 ? kQuick : 2s);
      const auto tenant = std::to_string(i % 5);
      simulation.add_tasks(simulation.add_lane(host, i % 3 != 1, tenant), 1'000);
    }
    simulation.run_for(60s);
    EXPECT_LE(simulation.most_in_flight, slots + places);
    // With one place, those that hang hold the half of the slots that lanes begin in.
    for (LaneId lane = 1; lane < 60 && places > 1; lane += 3) {
      EXPECT_EQ(simulation.ready(lane), 0) << slots << " " << places << " " << lane;
    }
  }
}

}  // namespace
}  // namespace postern::scheduler
