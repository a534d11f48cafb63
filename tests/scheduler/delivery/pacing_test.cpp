#include "scheduler/delivery/pacing.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/scheduler/delivery/paced_lanes.h"

namespace postern::scheduler {
namespace {

using namespace test;
using State = BreakerState;

TEST(Health, TellsWhatAnAttemptsEndSaysOfTheReceiver) {
  const struct {
    Kind kind;
    int status;
    Milliseconds duration;
    Health health;
  } cases[] = {
      {Kind::answered, 200, 29s, Health::well},
      {Kind::answered, 302, 1ms, Health::well},
      {Kind::answered, 404, 1ms, Health::well},
      {Kind::answered, 410, 1ms, Health::well},
      {Kind::answered, 429, 1ms, Health::overloaded},
      {Kind::answered, 500, 1ms, Health::well},
      {Kind::answered, 500, 29s, Health::well},
      {Kind::answered, 501, 1ms, Health::well},
      {Kind::answered, 502, 1ms, Health::failing},
      {Kind::answered, 503, 1ms, Health::failing},
      {Kind::answered, 504, 1ms, Health::failing},
      {Kind::answered, 504, 1s, Health::overloaded},
      {Kind::answered, 505, 1ms, Health::well},
      {Kind::answered, 519, 1ms, Health::well},
      {Kind::answered, 520, 1ms, Health::failing},
      {Kind::answered, 524, 20s, Health::overloaded},
      {Kind::answered, 525, 1ms, Health::well},
      {Kind::timed_out, 0, 100ms, Health::overloaded},
      {Kind::name_not_resolved, 0, 1ms, Health::failing},
      {Kind::not_connected, 0, 1ms, Health::failing},
      {Kind::not_connected, 0, 10s, Health::overloaded},
      {Kind::broken, 0, 999ms, Health::failing},
      {Kind::egress_denied, 0, 10s, Health::unknown},
  };
  for (const auto& [kind, status, duration, expected] : cases) {
    EXPECT_EQ(health({kind, status, duration, {}}), expected)
        << static_cast<int>(kind) << " " << status << " " << duration.count() << " ms";
  }
}

TEST(Pacing, BeginsSmallAndDoublesWithEachRoundOfAnswersUpToTheShare) {
  PacedLanes lanes(64);
  for (const int limit : {4, 8, 16, 32, 64, 64}) {
    EXPECT_EQ(lanes.allowance(), limit);
    lanes.attempt(kGood, limit);
  }
}

TEST(Pacing, LetsALaneThatIsWellUseAllSlots) {
  PacedLanes lanes(64);
  lanes.grow();
  EXPECT_EQ(lanes.allowance(), 64);
  const auto attempts = lanes.start_many(40);
  EXPECT_EQ(lanes.allowance(), 24);
  EXPECT_EQ(lanes.allowance(2), 4);
  for (const auto attempt : attempts) lanes.end(attempt, kGood);
  lanes.attempt({Kind::answered, 500, 1ms, {}}, 100);
  lanes.attempt({Kind::answered, 404, 1ms, {}}, 100);
  lanes.attempt(kDenied, 100);
  EXPECT_EQ(lanes.allowance(), 64);
}

TEST(Pacing, HalvesOnceForAllTimeOutsOfOneMoment) {
  PacedLanes lanes(256);
  lanes.grow();
  const auto attempts = lanes.start_many(100);
  for (int i = 0; i < 9; ++i) lanes.end(attempts[static_cast<std::size_t>(i)], kTimedOut);
  EXPECT_EQ(lanes.pacing.limit(1), 50) << "half of what was in flight, not of the slots";
  EXPECT_EQ(lanes.allowance(), 0) << "91 are still in flight";
  for (std::size_t i = 9; i < attempts.size(); ++i) lanes.end(attempts[i], kGood);
  EXPECT_GT(lanes.allowance(), 0);
}

TEST(Pacing, HalvesAgainForAnAttemptThatBeganAfterwardsAndNeverBelowOne) {
  PacedLanes lanes(64);
  lanes.grow();
  for (const int limit : {16, 8, 4, 2, 1, 1}) {
    const auto attempts = lanes.start_many(2 * limit == 32 ? 32 : lanes.allowance());
    lanes.end(attempts[0], kTimedOut);
    EXPECT_EQ(lanes.pacing.limit(1), limit);
    for (std::size_t i = 1; i < attempts.size(); ++i) {
      lanes.pacing.given_back(1, attempts[i], lanes.now);
    }
    EXPECT_EQ(lanes.allowance(), limit);
  }
}

TEST(Pacing, DoesNotHalveForFailuresThatHoldNoSlot) {
  PacedLanes lanes(64);
  lanes.grow();
  const auto attempts = lanes.start_many(40);
  for (int i = 0; i < 9; ++i) lanes.end(attempts[static_cast<std::size_t>(i)], kRefused);
  EXPECT_EQ(lanes.pacing.limit(1), 64);
}

TEST(Pacing, GrowsByOneForEachRoundOfSuccessesAfterATimeOut) {
  PacedLanes lanes(64);
  lanes.grow();
  const auto attempts = lanes.start_many(8);
  lanes.end(attempts[0], kTimedOut);
  for (const int limit : {4, 5, 6, 7}) {
    EXPECT_EQ(lanes.pacing.limit(1), limit);
    lanes.attempt(kGood, limit);
  }
  lanes.attempt(kGood, 7);
  lanes.end(lanes.start(), kTimedOut);
  lanes.attempt(kGood, 3);
  EXPECT_EQ(lanes.pacing.limit(1), 4) << "a round begins anew with the next time-out";
}

TEST(Pacing, CountsNoSuccessesOfBeforeALanesFirstFailure) {
  PacedLanes lanes(16);
  lanes.attempt(kRefused);
  lanes.now += 61s;
  lanes.attempt(kGood, 100);
  lanes.attempt(kRefused, 4);
  lanes.attempt(kGood, 3);
  lanes.attempt(kRefused, 2);
  EXPECT_EQ(lanes.state(), State::closed);
  lanes.attempt(kRefused);
  EXPECT_EQ(lanes.state(), State::open) << "seven of ten, and a hundred before";
}

TEST(Pacing, PausesALaneWhoseReceiverAsksForIt) {
  for (const int status : {429, 503}) {
    PacedLanes lanes(64);
    lanes.attempt(kGood, 50);
    lanes.attempt(asks_for(7s, status));
    EXPECT_EQ(lanes.state(), State::throttled);
    EXPECT_EQ(lanes.allowance(), 0);
    EXPECT_EQ(lanes.wait(), 7s);
    EXPECT_EQ(lanes.allowance(2), 4);
    lanes.sleep_out();
    lanes.attempt(kGood);
    EXPECT_EQ(lanes.state(), State::closed);
    EXPECT_EQ(lanes.allowance(), 2) << "it ramps up as after an outage";
  }
}

TEST(Pacing, BelievesALongPauseOnlyWhenItIsRepeated) {
  PacedLanes lanes(64);
  for (const auto wait : {60s, 120s, 240s, 480s}) {
    lanes.attempt(asks_for(1h));
    EXPECT_EQ(lanes.wait(), wait);
    lanes.sleep_out();
  }
  lanes.attempt(kGood);
  EXPECT_EQ(lanes.state(), State::closed) << "another task's success lifts it";

  PacedLanes patient(64);
  for (int i = 0; i < 30; ++i) {
    patient.attempt(asks_for(1000h));
    EXPECT_LE(patient.wait(), 24h);
    patient.sleep_out();
  }
}

constexpr AttemptEnd kSlow{Kind::answered, 200, 5s, {}};

TEST(Pacing, ASlowLaneHasNoMoreInFlightThanPlacesAreLeft) {
  PacedLanes lanes(8, 64);
  for (std::int64_t lane = 1; lane <= 12; ++lane) {
    lanes.attempt(kSlow, 8, lane);
    lanes.start_many(2, lane);
  }
  EXPECT_EQ(lanes.pacing.limit(1), 8);
  EXPECT_EQ(lanes.allowance(1), 2) << "24 of 28 are taken, and 4 others are for first attempts";
  lanes.attempt(kSlow, 8, 13);
  EXPECT_EQ(lanes.allowance(13), 8);
}

TEST(Pacing, AReceiverThatSpeaksAgainIsNotHeldBackByWhatHangs) {
  PacedLanes lanes(64);
  lanes.start_many(4);
  EXPECT_EQ(lanes.allowance(), 0);
  EXPECT_EQ(lanes.wait(), 250ms) << "silent then";
  lanes.sleep_out();
  lanes.start();
  EXPECT_EQ(lanes.wait(), 20ms);
  lanes.sleep_out();
  EXPECT_EQ(lanes.allowance(), 1);
  lanes.attempt(kGood);
  for (const int more : {1, 2, 4, 8}) {
    EXPECT_EQ(lanes.allowance(), more) << "five hang";
    lanes.attempt(kGood, more);
  }
}

TEST(Pacing, ATenantWhosePlacesAreTakenGoesOnWithItsQuickLanes) {
  PacedLanes lanes(8, 64);
  lanes.grow();
  for (std::int64_t lane = 2; lane < 40; ++lane) {
    lanes.attempt(kSlow, 1, lane);
    if (lane < 34) lanes.start(lane);
  }
  EXPECT_EQ(lanes.pacing.parked(), 32);
  EXPECT_EQ(lanes.allowance(39), 0);
  EXPECT_FALSE(lanes.pacing.may_start(39, lanes.now));
  EXPECT_FALSE(lanes.pacing.may_start(50, lanes.now)) << "nor a lane never met";
  EXPECT_EQ(lanes.allowance(50), 0);
  EXPECT_TRUE(lanes.pacing.may_start(LaneId{1} << 40 | 51, lanes.now)) << "another tenant's";
  EXPECT_EQ(lanes.allowance(1), 8);
  EXPECT_TRUE(lanes.pacing.may_start(1, lanes.now));
}

TEST(Pacing, ListsTheLanesThatAreStopped) {
  PacedLanes lanes(64);
  lanes.attempt(kGood, 10, 1);
  lanes.attempt(kRefused, 5, 2);
  lanes.attempt(kRefused, 10, 3);
  lanes.attempt(asks_for(30s), 1, 4);
  lanes.now += 1s;
  lanes.start(3);
  std::map<std::int64_t, State> states;
  for (const auto& each : lanes.pacing.stopped()) states[each.lane] = each.state;
  EXPECT_EQ(states, (std::map<std::int64_t, State>{{3, State::half_open}, {4, State::throttled}}));
  EXPECT_EQ(lanes.pacing.stopped(1).size(), 1u);
}

TEST(Pacing, ForgetsIdleLanes) {
  PacedLanes lanes(64);
  lanes.attempt(kRefused, 1, 1);
  lanes.attempt(kRefused, 10, 2);
  lanes.attempt(kRefused, 1, 3);
  lanes.start(3);
  lanes.now += 5min;
  lanes.pacing.forget_idle(lanes.now);
  EXPECT_EQ(lanes.pacing.remembered(), 3u);
  lanes.now += 1s;
  lanes.pacing.forget_idle(lanes.now);
  EXPECT_EQ(lanes.pacing.remembered(), 2u) << "stopped, or with an attempt in flight";
  EXPECT_EQ(lanes.state(2), State::open);
  lanes.now += 24h;
  lanes.pacing.forget_idle(lanes.now);
  EXPECT_EQ(lanes.state(2), State::closed);
  EXPECT_EQ(lanes.pacing.remembered(), 1u);
}

TEST(Pacing, RemembersTenThousandLanesAndDropsThoseIdleTheLongest) {
  PacedLanes lanes(64);
  lanes.attempt(kRefused, 10, -1);
  for (std::int64_t lane = 30'000; lane > 0; --lane) {
    lanes.now += 1ms;
    lanes.attempt(kRefused, 1, lane);
    ASSERT_LE(lanes.pacing.remembered(), 10'000u);
  }
  EXPECT_EQ(lanes.state(-1), State::open) << "the closed ones go first";
  lanes.attempt(kRefused, 9, 5000);
  EXPECT_EQ(lanes.state(5000), State::open) << "the newest nine thousand are remembered";

  lanes.start(-1);
  for (std::int64_t lane = 30'000; lane > 10'000; --lane) {
    lanes.now += 1ms;
    lanes.attempt(kRefused, 10, lane);
    ASSERT_LE(lanes.pacing.remembered(), 10'000u);
  }
  EXPECT_EQ(lanes.state(-1), State::half_open) << "a probe's lane stays";
  EXPECT_EQ(lanes.state(5000), State::closed);
  EXPECT_EQ(lanes.state(10'001), State::open);
}

}  // namespace
}  // namespace postern::scheduler
