// Lanes under a Pacing, and ends of attempts to drive them with.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "scheduler/delivery/pacing.h"

namespace postern::scheduler::test {

using namespace std::chrono_literals;
using Kind = HttpResult::Kind;

inline constexpr AttemptEnd kGood{Kind::answered, 200, 10ms, {}};
inline constexpr AttemptEnd kRefused{Kind::not_connected, 0, 1ms, {}};
inline constexpr AttemptEnd kTimedOut{Kind::timed_out, 0, 30s, {}};
inline constexpr AttemptEnd kDenied{Kind::egress_denied, 0, 0ms, {}};

inline AttemptEnd asks_for(Milliseconds pause, int status = 429) {
  return {Kind::answered, status, 10ms, pause};
}

// Numbers the attempts and keeps the time.
struct PacedLanes {
  // Places enough for an eighth of them to be as many as the slots.
  explicit PacedLanes(int slots) : PacedLanes(slots, 8 * slots) {}
  PacedLanes(int slots, int places) : pacing(slots, places) {}

  std::uint64_t start(std::int64_t lane = 1) {
    pacing.started(lane, next, now);
    return next++;
  }
  std::vector<std::uint64_t> start_many(int count, std::int64_t lane = 1) {
    std::vector<std::uint64_t> attempts;
    while (count-- > 0) attempts.push_back(start(lane));
    return attempts;
  }
  void end(std::uint64_t attempt, const AttemptEnd& how, std::int64_t lane = 1) {
    pacing.finished(lane, attempt, how, now);
  }
  void attempt(const AttemptEnd& how, int times = 1, std::int64_t lane = 1) {
    while (times-- > 0) end(start(lane), how, lane);
  }
  // So that it may have its whole share.
  void grow(std::int64_t lane = 1) { attempt(kGood, pacing.lane_share(), lane); }
  int allowance(std::int64_t lane = 1) const { return pacing.allowance(lane, now); }
  BreakerState state(std::int64_t lane = 1) const { return pacing.state(lane); }
  // How long the lane has to wait.
  Milliseconds wait(std::int64_t lane = 1) const {
    const auto until = pacing.retry_at(lane, now);
    return until ? std::chrono::duration_cast<Milliseconds>(*until - now) : 0ms;
  }
  void sleep_out(std::int64_t lane = 1) { now += wait(lane); }
  // Stopped by ten failures, then back by a probe that succeeds.
  void stop_and_revive(const AttemptEnd& how = kRefused) {
    attempt(how, 10);
    ASSERT_EQ(state(), BreakerState::open);
    sleep_out();
    attempt(kGood);
    ASSERT_EQ(state(), BreakerState::closed);
  }

  Pacing pacing;
  Monotonic now{1h};
  std::uint64_t next = 0;
};

}  // namespace postern::scheduler::test
