// The breaker of a lane: when it opens, how it is probed, and how its receiver is taken back.
#include "scheduler/delivery/pacing.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/scheduler/delivery/paced_lanes.h"

namespace postern::scheduler {
namespace {

using namespace test;
using State = BreakerState;

TEST(Pacing, OpensAfterTenFailuresInARow) {
  for (const auto& how : {kRefused, kTimedOut, AttemptEnd{Kind::name_not_resolved, 0, 1ms, {}},
                          AttemptEnd{Kind::broken, 0, 1ms, {}},
                          AttemptEnd{Kind::answered, 503, 1ms, {}}, asks_for(0s)}) {
    PacedLanes lanes(64);
    lanes.attempt(how, 9);
    EXPECT_EQ(lanes.state(), State::closed);
    lanes.attempt(how);
    EXPECT_EQ(lanes.state(), State::open);
    EXPECT_EQ(lanes.allowance(), 0);
    EXPECT_EQ(lanes.wait(), 1s);
    EXPECT_EQ(lanes.state(2), State::closed) << "another lane has no part in it";
  }
}

TEST(Pacing, StaysClosedWhileSuccessesComeBetween) {
  PacedLanes lanes(64);
  for (int i = 0; i < 30; ++i) {
    lanes.attempt(kRefused, 3);
    lanes.attempt(kGood, 2);
  }
  EXPECT_EQ(lanes.state(), State::closed) << "three of five are less than 70 %";
}

TEST(Pacing, OpensWhenSeventyPercentOfTheLastMinuteFailed) {
  PacedLanes lanes(64);
  lanes.attempt(kRefused, 3);
  lanes.attempt(kGood, 3);
  lanes.attempt(kRefused, 3);
  EXPECT_EQ(lanes.state(), State::closed) << "nine attempts are too few";
  lanes.now += 70s;
  lanes.attempt(kRefused);
  EXPECT_EQ(lanes.state(), State::closed) << "those before are past";
  lanes.attempt(kGood, 3);
  lanes.attempt(kRefused, 5);
  EXPECT_EQ(lanes.state(), State::closed);
  lanes.attempt(kRefused);
  EXPECT_EQ(lanes.state(), State::open) << "seven of ten";
}

TEST(Pacing, LetsOneProbeThroughWhenTheCoolDownIsOver) {
  PacedLanes lanes(64);
  lanes.attempt(kRefused, 10);
  lanes.now += 999ms;
  EXPECT_EQ(lanes.allowance(), 0);
  lanes.now += 1ms;
  EXPECT_EQ(lanes.allowance(), 1);
  EXPECT_EQ(lanes.pacing.retry_at(1, lanes.now), std::nullopt);
  const auto probe = lanes.start();
  EXPECT_EQ(lanes.state(), State::half_open);
  EXPECT_EQ(lanes.allowance(), 0);
  EXPECT_EQ(lanes.pacing.retry_at(1, lanes.now), std::nullopt) << "it waits for the probe";
  lanes.now += 10min;
  EXPECT_EQ(lanes.allowance(), 0);
  lanes.end(probe, kGood);
  EXPECT_EQ(lanes.state(), State::closed);
}

TEST(Pacing, WaitsLongerAfterEachProbeThatFails) {
  PacedLanes lanes(64);
  lanes.attempt(kTimedOut, 10);
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_EQ(lanes.wait(), wait);
    lanes.sleep_out();
    lanes.attempt(kTimedOut);
    EXPECT_EQ(lanes.state(), State::open);
  }
}

TEST(Pacing, WaitsLongerForAReceiverThatFailsAgainSoonAndForgivesAfterAMinute) {
  PacedLanes lanes(64);
  lanes.stop_and_revive();
  lanes.attempt(kRefused, 10);
  EXPECT_EQ(lanes.wait(), 2s);
  lanes.sleep_out();
  lanes.attempt(kGood);
  lanes.now += 61s;
  lanes.attempt(kRefused, 10);
  EXPECT_EQ(lanes.wait(), 1s);
}

TEST(Pacing, RampsUpAReceiverThatIsBack) {
  PacedLanes lanes(256);
  lanes.stop_and_revive(kRefused);
  for (const int limit : {2, 4, 8, 16, 32, 64, 128}) {
    EXPECT_EQ(lanes.allowance(), limit);
    lanes.attempt(kGood, limit);
  }
  EXPECT_EQ(lanes.allowance(), 129) << "slowly from half of what it had";

  PacedLanes hung(256);
  hung.stop_and_revive(kTimedOut);
  for (const int limit : {2, 4, 8, 16, 17}) {
    EXPECT_EQ(hung.allowance(), limit);
    hung.attempt(kGood, limit);
  }
}

TEST(Pacing, JudgesAReceiverThatIsBackAfresh) {
  PacedLanes lanes(64);
  lanes.stop_and_revive();
  lanes.attempt(kRefused, 9);
  EXPECT_EQ(lanes.state(), State::closed);
}

TEST(Pacing, DoesNotJudgeAReceiverByAttemptsThatBeganBeforeTheStop) {
  PacedLanes lanes(64);
  const auto hung = lanes.start_many(40);
  lanes.attempt(kRefused, 10);
  lanes.end(hung[0], kGood);
  EXPECT_EQ(lanes.state(), State::open) << "only the probe closes";
  lanes.sleep_out();
  lanes.attempt(kRefused);
  lanes.end(hung[1], kGood);
  lanes.sleep_out();
  lanes.attempt(kGood);
  EXPECT_EQ(lanes.allowance(), 2) << "38 that hang do not count against a receiver that is back";

  lanes.attempt(kGood, 1000);
  EXPECT_EQ(lanes.allowance(), 64 - 38) << "but they do hold slots";
  const auto fresh = lanes.start_many(8);
  lanes.end(fresh[0], kTimedOut);
  EXPECT_EQ(lanes.pacing.limit(1), 4) << "half of the eight";
  for (std::size_t i = 1; i < fresh.size(); ++i) lanes.end(fresh[i], kGood);

  lanes.attempt(kGood, 3000);
  lanes.now += 61s;
  lanes.attempt(kGood);
  EXPECT_EQ(lanes.pacing.remembered(), 1u) << "it is still known which ones are old";
  for (std::size_t i = 2; i < hung.size(); ++i) lanes.end(hung[i], kTimedOut);
  EXPECT_EQ(lanes.state(), State::closed);
  EXPECT_EQ(lanes.allowance(), 64);
  EXPECT_EQ(lanes.pacing.in_flight(1), 0);
}

TEST(Pacing, IgnoresTheEndOfAnAttemptThatWasStartedAgainstTheStop) {
  PacedLanes lanes(64);
  lanes.attempt(kRefused, 10);
  const auto late = lanes.start();
  EXPECT_EQ(lanes.state(), State::open);
  lanes.sleep_out();
  const auto probe = lanes.start();
  const auto later = lanes.start();
  lanes.end(late, kGood);
  EXPECT_EQ(lanes.state(), State::half_open);
  lanes.end(probe, kGood);
  lanes.end(later, kTimedOut);
  EXPECT_EQ(lanes.state(), State::closed);
  EXPECT_EQ(lanes.allowance(), 2);
}

TEST(Pacing, ProbesAgainAtOnceWhenTheProbeNeverReachedTheReceiver) {
  PacedLanes lanes(64);
  lanes.attempt(kRefused, 10);
  lanes.sleep_out();
  lanes.end(lanes.start(), kDenied);
  EXPECT_EQ(lanes.state(), State::open);
  EXPECT_EQ(lanes.allowance(), 1);
  lanes.pacing.given_back(1, lanes.start(), lanes.now);
  EXPECT_EQ(lanes.allowance(), 1);
  lanes.attempt(kRefused);
  EXPECT_EQ(lanes.wait(), 2s);
}

TEST(Pacing, ProbesHoldAQuarterOfTheSlotsAtMost) {
  PacedLanes lanes(16);
  for (std::int64_t lane = 0; lane < 10; ++lane) lanes.attempt(kTimedOut, 10, lane);
  lanes.now += 1s;
  std::vector<std::uint64_t> probes;
  for (std::int64_t lane = 0; lane < 4; ++lane) probes.push_back(lanes.start(lane));
  EXPECT_EQ(lanes.allowance(4), 0);
  EXPECT_EQ(lanes.pacing.retry_at(4, lanes.now), std::nullopt);
  lanes.end(probes[0], kTimedOut, 0);
  EXPECT_EQ(lanes.allowance(4), 1);
  lanes.pacing.given_back(1, probes[1], lanes.now);
  lanes.end(probes[2], kGood, 2);
  lanes.end(probes[3], kTimedOut, 3);
  for (std::int64_t lane = 4; lane < 8; ++lane) {
    EXPECT_EQ(lanes.allowance(lane), 1);
    lanes.start(lane);
  }
  EXPECT_EQ(lanes.allowance(8), 0);
}

}  // namespace
}  // namespace postern::scheduler
