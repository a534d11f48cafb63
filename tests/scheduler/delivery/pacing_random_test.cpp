// What comes of the pacing under random events.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "scheduler/delivery/pacing.h"
#include "tests/scheduler/delivery/paced_lanes.h"

namespace postern::scheduler {
namespace {

using namespace test;
using State = BreakerState;

// Whatever happens, in whatever order: the bounds hold, and a receiver that is well again gets its
// lane back.
TEST(Pacing, KeepsItsBoundsWhateverHappens) {
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
  }
}

}  // namespace
}  // namespace postern::scheduler
