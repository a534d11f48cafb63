#include "scheduler/delivery/silence.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

const Monotonic kStart{1h};

TEST(Silence, OneThatNeverAnsweredIsSilentAfterAQuarterOfASecond) {
  Silence silence;
  EXPECT_FALSE(silence.met());
  EXPECT_FALSE(silence.silent(false, kStart)) << "nothing was asked";
  silence.started(false, kStart);
  EXPECT_FALSE(silence.silent(false, kStart + 249ms));
  EXPECT_TRUE(silence.silent(false, kStart + 250ms));
}

TEST(Silence, OthersAreSilentAfterFourTimesWhatTheyUsuallyTake) {
  for (const auto& [usual, patience] : {std::pair{5ms, 100ms}, {25ms, 100ms}, {1'000ms, 4'000ms}}) {
    Silence silence;
    silence.answered(usual, kStart);
    EXPECT_FALSE(silence.silent(false, kStart + 1h)) << "it owes nothing";
    silence.started(false, kStart + 1h);
    silence.started(false, kStart + 1h + patience / 2);
    EXPECT_FALSE(silence.silent(false, kStart + 1h + patience - 1ms));
    EXPECT_TRUE(silence.silent(false, kStart + 1h + patience));
    silence.answered(usual, kStart + 1h + patience);
    EXPECT_FALSE(silence.silent(false, kStart + 2h));
  }
}

TEST(Silence, WhatTheyUsuallyTakeFollowsTheAnswersSlowly) {
  Silence silence;
  silence.answered(8ms, kStart);
  EXPECT_EQ(silence.usual(), Silence::Answer(8));
  silence.answered(16ms, kStart);
  EXPECT_EQ(silence.usual(), Silence::Answer(9));
  for (int i = 0; i < 100; ++i) silence.answered(16ms, kStart);
  EXPECT_NEAR(silence.usual().count(), 16, 0.1);
}

TEST(Silence, AnAnswerIsASignOfLifeForWhatBeganBefore) {
  Silence silence;
  silence.answered(5ms, kStart);
  silence.started(false, kStart);  // a slow one
  for (auto now = kStart; now < kStart + 20s; now += 1s) {
    silence.started(silence.silent(false, now), now);
    EXPECT_FALSE(silence.silent(false, now + 5ms));
    silence.answered(5ms, now + 5ms);
  }
}

TEST(Silence, ABlockedLaneIsSilentWhenTheLastAnswerIsLongAgo) {
  Silence silence;
  silence.answered(5ms, kStart);
  EXPECT_FALSE(silence.silent(true, kStart + 99ms));
  EXPECT_TRUE(silence.silent(true, kStart + 100ms));
}

TEST(Silence, ASilentOneIsAskedAtOnceAndThenLessAndLess) {
  Silence silence;
  silence.answered(5ms, kStart);
  silence.started(false, kStart);
  auto now = kStart + 100ms;
  EXPECT_EQ(silence.next_start(), now);
  const auto ask_for = [&](Monotonic::duration time) {
    while (silence.next_start() < kStart + time) {
      now = silence.next_start();
      silence.started(true, now);
    }
    return silence.asked();
  };
  EXPECT_NEAR(ask_for(4s), 200, 10);
  EXPECT_NEAR(ask_for(20s), 520, 10);
  EXPECT_NEAR(ask_for(4min), 1'020, 20);
  silence.spoke(now);
  EXPECT_EQ(silence.asked(), 0);
}

}  // namespace
}  // namespace postern::scheduler
