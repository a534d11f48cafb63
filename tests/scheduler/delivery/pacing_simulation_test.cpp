// What comes of the pacing in the long run: under random events, and when many lanes share the
// slots.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <queue>
#include <random>
#include <tuple>

#include "scheduler/delivery/pacing.h"
#include "tests/scheduler/delivery/paced_lanes.h"

namespace postern::scheduler {
namespace {

using namespace test;
using State = BreakerState;

// Whatever happens, in whatever order: the bounds hold, and a receiver that is well again gets its
// lane back.
TEST(PacingSimulation, KeepsItsBoundsWhateverHappens) {
  constexpr int kSlots = 16;
  constexpr std::int64_t kLanes = 5;
  const AttemptEnd ends[] = {kGood,   kGood,         kRefused,          kTimedOut,
                             kDenied, asks_for(20s), asks_for(0s, 503), {}};
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::uint64_t end) { return random() % end; };
    const auto mood = below(8);  // how often it is a time-out
    PacedLanes lanes(kSlots);
    std::vector<std::pair<std::int64_t, std::uint64_t>> in_flight;

    const auto start = [&](std::int64_t lane) {
      const bool probe = lanes.state(lane) != State::closed;
      const auto attempt = lanes.start(lane);
      in_flight.emplace_back(lane, attempt);
      ASSERT_EQ(lanes.state(lane), probe ? State::half_open : State::closed);
    };
    const auto check = [&] {
      int held_by_probes = 0;
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        const auto held = std::count_if(in_flight.begin(), in_flight.end(),
                                        [&](const auto& each) { return each.first == lane; });
        ASSERT_EQ(lanes.pacing.in_flight(lane), held);
        ASSERT_GE(lanes.allowance(lane), 0);
        ASSERT_LE(lanes.allowance(lane) + held, kSlots);
        ASSERT_GE(lanes.pacing.limit(lane), 1);
        ASSERT_LE(lanes.pacing.limit(lane), kSlots);
        ASSERT_LE(lanes.wait(lane), 24h);
        if (lanes.state(lane) == State::half_open) {
          ++held_by_probes;
          ASSERT_EQ(lanes.allowance(lane), 0);
        }
        ASSERT_TRUE(lanes.wait(lane) == 0s || lanes.allowance(lane) == 0);
        ASSERT_TRUE(lanes.wait(lane) == 0s || lanes.state(lane) != State::closed);
      }
      ASSERT_LE(held_by_probes, kSlots / 4);
    };
    const auto end = [&](std::size_t index, const AttemptEnd& how) {
      const auto [lane, attempt] = in_flight[index];
      in_flight[index] = in_flight.back();
      in_flight.pop_back();
      if (below(20) == 0) {
        lanes.pacing.given_back(lane, attempt, lanes.now);
      } else {
        lanes.end(attempt, how, lane);
      }
    };

    for (int step = 0; step < 2000 && !HasFatalFailure(); ++step) {
      lanes.now += Milliseconds(below(400));
      const auto lane = static_cast<std::int64_t>(below(kLanes));
      if (lanes.allowance(lane) > 0 && in_flight.size() < kSlots && below(3) != 0) {
        start(lane);
      } else if (!in_flight.empty()) {
        const auto how = below(8) < mood ? kTimedOut : ends[below(std::size(ends))];
        end(below(in_flight.size()), how);
      }
      if (below(100) == 0) lanes.pacing.forget_idle(lanes.now);
      check();
    }
    ASSERT_FALSE(HasFatalFailure());

    while (!in_flight.empty()) end(0, kGood);
    // A minute of waiting at most, a pause repeated often aside, and one probe, for each.
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes.sleep_out(lane);
      if (lanes.state(lane) != State::closed) lanes.attempt(kGood, 1, lane);
      ASSERT_EQ(lanes.state(lane), State::closed);
      lanes.attempt(kGood, kSlots * kSlots, lane);
      ASSERT_EQ(lanes.allowance(lane), kSlots);
    }
    lanes.now += 61s;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes.attempt(kGood, 1, lane);
    ASSERT_EQ(lanes.pacing.remembered(), 0u);
  }
}

// A hundred lanes that always have work share 64 slots in turn. Ten of them hang for 30 s, the
// others answer within 100 ms.
class Sharing {
 public:
  static constexpr int kSlots = 64;
  static constexpr std::int64_t kLanes = 100;
  static constexpr std::int64_t kHanging = 10;  // the lanes below it

  // Starts what may start, then goes on to the next end.
  void step() {
    for (std::int64_t passed = 0; passed < kLanes && in_flight_.size() < kSlots; ++passed) {
      turn_ = (turn_ + 1) % kLanes;
      if (lanes.allowance(turn_) == 0) continue;
      const bool hangs = turn_ < kHanging && !healed;
      in_flight_.emplace(lanes.now + (hangs ? Milliseconds(30s) : 100ms), lanes.start(turn_), turn_,
                         hangs);
      hanging_ += hangs ? 1 : 0;
      ++started[turn_];
      passed = 0;
    }
    const auto [at, attempt, lane, hung] = in_flight_.top();
    in_flight_.pop();
    lanes.now = at;
    lanes.end(attempt, hung ? kTimedOut : kGood, lane);
    hanging_ -= hung ? 1 : 0;
    time_outs += hung ? 1 : 0;
  }
  void run_for(Milliseconds time) {
    for (const auto end = lanes.now + time; lanes.now < end;) step();
  }
  // The part of the slots that is not held by attempts that hang.
  double free_of_hanging() const { return 1 - static_cast<double>(hanging_) / kSlots; }

  PacedLanes lanes{kSlots};
  bool healed = false;
  int time_outs = 0;
  std::map<std::int64_t, int> started;

 private:
  using Attempt = std::tuple<Monotonic, std::uint64_t, std::int64_t, bool>;
  std::priority_queue<Attempt, std::vector<Attempt>, std::greater<>> in_flight_;
  std::int64_t turn_ = 0;
  int hanging_ = 0;
};

TEST(PacingSimulation, LanesThatHangLoseTheSlotsToTheOthers) {
  Sharing sharing;
  sharing.run_for(29s);
  EXPECT_LT(sharing.free_of_hanging(), 0.1) << "nothing has timed out yet";

  // Two rounds of time-outs, 64 slots full of them at most.
  sharing.run_for(62s);
  EXPECT_LE(sharing.time_outs, 2 * Sharing::kSlots);
  sharing.started.clear();
  const int before = sharing.time_outs;
  sharing.run_for(10min);
  int healthy = 0;
  int all = 0;
  for (const auto& [lane, count] : sharing.started) {
    all += count;
    if (lane >= Sharing::kHanging) healthy += count;
  }
  EXPECT_GE(healthy, all * 0.9);
  // With 64 slots for themselves they would have started 640 in each second.
  EXPECT_GE(healthy, 640 * 600 * 0.8);
  EXPECT_LE(sharing.time_outs - before, 10 * 20) << "one probe in each cool-down and time-out";
  EXPECT_GE(sharing.free_of_hanging(), 0.8);
}

TEST(PacingSimulation, LanesThatHungGetTheirPartBackWhenTheyAreWell) {
  Sharing sharing;
  sharing.run_for(10min);
  sharing.healed = true;
  sharing.run_for(91s);  // a probe that hangs, and the longest cool-down
  sharing.run_for(60s);  // the ramp
  sharing.started.clear();
  sharing.run_for(60s);
  for (std::int64_t lane = 0; lane < Sharing::kLanes; ++lane) {
    EXPECT_EQ(sharing.lanes.state(lane), State::closed) << lane;
    EXPECT_NEAR(sharing.started[lane], 640 * 60 / 100, 40) << lane;
  }
}

}  // namespace
}  // namespace postern::scheduler
