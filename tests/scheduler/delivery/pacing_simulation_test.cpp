// Receivers that hang, of all kinds, beside those that are well: who waits, in virtual time.
#include <gtest/gtest.h>

#include <string>

#include "tests/scheduler/delivery/simulation.h"

namespace postern::scheduler {
namespace {

using namespace test;
using Answer = std::optional<Milliseconds>;

constexpr Milliseconds kQuick = 5ms;
// What a healthy lane's tasks may wait: the gathering of a claim, and twice the claim.
constexpr Milliseconds kSoon = 10ms;

const Monotonic kStart{1h};

Answer begins_to_hang(Monotonic now, std::mt19937&) {
  return now < kStart + 5s ? Answer(kQuick) : std::nullopt;
}
Answer answers_one_in_ten(Monotonic, std::mt19937& random) {
  return random() % 10 == 0 ? Answer(kQuick) : std::nullopt;
}
Answer recovers(Monotonic now, std::mt19937&) {
  return now < kStart + 7s ? std::nullopt : Answer(kQuick);
}

struct Sick {
  const char* name;
  Simulation::Host host;
};
const Sick kSick[] = {{"never answers", never_answers()},
                      {"begins to hang", begins_to_hang},
                      {"answers one in ten", answers_one_in_ten},
                      {"drips", answers_in(25s)},
                      {"recovers", recovers}};

class Hanging : public testing::TestWithParam<Sick> {
 protected:
  // From the first second on, nobody waits for `hanging` of `lanes` hosts.
  static void expect_nobody_waits(int hanging, int lanes, int per_second, Milliseconds time) {
    SCOPED_TRACE(std::to_string(hanging) + " of " + std::to_string(lanes) + ", " +
                 std::to_string(per_second) + " a second");
    Simulation simulation;
    for (int i = 0; i < lanes; ++i) {
      simulation.add_lane(i < hanging ? GetParam().host : answers_in(kQuick), i < hanging);
    }
    simulation.run_for(time, per_second);
    EXPECT_LE(simulation.waited(), kSoon);
    EXPECT_LT(simulation.most_slots_hanging, simulation.slots * 3 / 4);
    EXPECT_LE(simulation.given_back, simulation.started / 100);
    EXPECT_LE(simulation.most_in_flight, simulation.slots + simulation.places);
  }
};

TEST_P(Hanging, KeepsNobodyWaitingIfTwoOfTwentyDo) {
  expect_nobody_waits(2, 20, 300, 65s);
  expect_nobody_waits(2, 20, 5'000, 12s);
}

TEST_P(Hanging, KeepsNobodyWaitingIfHundredOfThousandDo) {
  expect_nobody_waits(100, 1'000, 300, 65s);
  expect_nobody_waits(100, 1'000, 5'000, 12s);
}

TEST_P(Hanging, KeepsNobodyWaitingIfAllHaveABacklog) {
  Simulation simulation;
  for (int i = 0; i < 1'000; ++i) {
    const bool hangs = i < 100;
    const LaneId lane = simulation.add_lane(hangs ? GetParam().host : answers_in(kQuick), hangs);
    if (hangs) simulation.add_tasks(lane, 1'000);
  }
  simulation.run_for(12s, 1'000);
  EXPECT_LE(simulation.waited(), kSoon);
}

INSTANTIATE_TEST_SUITE_P(Hosts, Hanging, testing::ValuesIn(kSick), [](const auto& each) {
  std::string name = each.param.name;
  for (char& letter : name) letter = letter == ' ' ? '_' : letter;
  return name;
});

TEST(PacingSimulation, LanesThatHangHoldHalfOfTheSlotsAtMostHoweverManyTheyAre) {
  Simulation simulation;
  for (int i = 0; i < 2'000; ++i)
    simulation.add_tasks(simulation.add_lane(never_answers(), true), 50);
  for (int i = 0; i < 60; ++i) {
    simulation.run_for(10ms);
    EXPECT_GE(simulation.pacing.free_slots(), simulation.slots / 2);
  }
}

TEST(PacingSimulation, AReceiverThatSpeaksAgainGetsWhatWaits) {
  Simulation simulation;
  for (int i = 0; i < 20; ++i) {
    simulation.add_lane(i < 2 ? Simulation::Host(recovers) : answers_in(kQuick), i < 2);
  }
  simulation.run_for(7s, 3'000);
  EXPECT_GT(simulation.ready(0), 50);
  // What hangs does not end before 30 s.
  simulation.run_for(10s, 300);
  EXPECT_LE(simulation.ready(0), 1);
  EXPECT_LE(simulation.ready(1), 1);
}

}  // namespace
}  // namespace postern::scheduler
