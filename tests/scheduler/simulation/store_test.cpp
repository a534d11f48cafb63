// What claims and settlements mean.
#include "tests/scheduler/simulation/store_suite.h"

namespace postern::simulation {
namespace {

// --- claims --------------------------------------------------------------------------------------

TEST_P(Store, AClaimCountsTheAttemptAndLeases) {
  const auto task = insert([](NewTask& each) { each.spec.timeout = 7s; });
  const auto claimed = claim_one();
  EXPECT_EQ(claimed.spec.id, task.spec.id);
  EXPECT_EQ(claimed.spec.timeout, 7s);
  EXPECT_EQ(claimed.spec.url, task.spec.url);
  EXPECT_EQ(claimed.lane, lane());
  EXPECT_EQ(claimed.attempt, 1);
  EXPECT_EQ(claimed.lease_until - claimed.claimed_at, 37s);
  EXPECT_FALSE(claimed.past_deadline);
  EXPECT_EQ(subject_->see(task.spec.id), (Subject::Seen{State::active, Reason::none, 1}));
}

TEST_P(Store, AClaimBringsNoMoreThanAskedAndNoneTwice) {
  insert_many(5);
  const auto first = claim(2), second = claim(10), third = claim(10);
  EXPECT_EQ(first.tasks.size(), 2u);
  EXPECT_EQ(second.tasks.size(), 3u);
  EXPECT_TRUE(third.tasks.empty());
  EXPECT_TRUE(first.held.empty());
}

TEST_P(Store, AClaimGoesByPriorityThenStart) {
  const auto low = insert([](NewTask& each) { each.spec.priority = 10; });
  const auto first = insert(), second = insert();
  const auto high = insert([](NewTask& each) { each.spec.priority = 90; });
  EXPECT_EQ(ids(claim(3).tasks), (std::vector{high.spec.id, first.spec.id, second.spec.id}));
  EXPECT_EQ(ids(claim(3).tasks), std::vector{low.spec.id});
}

TEST_P(Store, AClaimBeginsAtTheMarksOfItsLane) {
  const auto tasks = insert_many(3);
  const auto other = insert([](NewTask& each) { each.spec.priority = 10; });
  const auto seen = claim(2).tasks;
  for (const auto& each : seen) settle(end_of(each, State::ready));
  const std::vector<db::LaneMark> marks{{db::rank_of(50), seen.back().run_at, seen.back().spec.id}};
  EXPECT_EQ(ids(claim({{{lane(), 10}, nullptr, marks}}).tasks),
            (std::vector{tasks[1].spec.id, tasks[2].spec.id, other.spec.id}));
  EXPECT_EQ(ids(claim(10).tasks), std::vector{tasks[0].spec.id});
}

TEST_P(Store, ATaskPastItsDeadlineIsClaimedToEnd) {
  insert([&](NewTask& each) { each.spec.deadline = subject_->now() + 60s; });
  subject_->pass(61s);
  EXPECT_TRUE(claim_one().past_deadline);
}

TEST_P(Store, NothingThatIsPausedIsClaimed) {
  insert();
  subject_->set_queue("q", {.paused = true});
  EXPECT_TRUE(claim(1).tasks.empty());
  subject_->set_queue("q", {});
  subject_->pause(true);
  EXPECT_TRUE(claim(1).tasks.empty());
  subject_->pause(false);
  EXPECT_EQ(claim(1).tasks.size(), 1u);
}

// --- limits --------------------------------------------------------------------------------------

TEST_P(Store, AQueueHasNoMoreActiveThanItMay) {
  subject_->set_queue("q", {.most_active = 3});
  insert_many(9);
  const auto first = claim(2);
  EXPECT_EQ(first.tasks.size(), 2u);
  EXPECT_TRUE(first.held.empty());
  const auto second = claim(5);
  EXPECT_EQ(second.tasks.size(), 1u);
  ASSERT_EQ(second.held.size(), 1u);
  EXPECT_EQ(second.held[0].lane, lane());
  EXPECT_EQ(second.held[0].wait, 200ms);
  EXPECT_TRUE(second.held[0].full_up);
  settle(end_of(first.tasks[0], State::active, 60s));
  EXPECT_TRUE(claim(5).tasks.empty()) << "a deferred one counts";
  settle(end_of(first.tasks[1], State::completed));
  EXPECT_EQ(claim(5).tasks.size(), 1u);
}

TEST_P(Store, TheLanesOfAQueueShareItsLimit) {
  subject_->set_queue("q", {.most_active = 3});
  insert_many(4);
  std::optional<std::int64_t> other;
  for (int i = 0; i < 4; ++i) {
    other = lane_of(insert([](NewTask& each) { each.spec.url = "http://other.test/"; }));
  }
  const auto answer = claim({{{lane(), 2}}, {{*other, 4}}});
  EXPECT_EQ(answer.tasks.size(), 3u);
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_EQ(answer.held[0].lane, *other);
}

TEST_P(Store, ARateIsNotExceeded) {
  subject_->set_queue("q", {.rate = RateLimit{2, 60s, 2}});
  insert_many(9);
  const auto first = claim(5);
  EXPECT_EQ(first.tasks.size(), 2u);
  ASSERT_EQ(first.held.size(), 1u);
  EXPECT_GT(first.held[0].wait, 25s);
  EXPECT_LE(first.held[0].wait, 31s);
  EXPECT_FALSE(first.held[0].full_up);
  EXPECT_TRUE(claim(5).tasks.empty());
  subject_->pass(31s);
  EXPECT_EQ(claim(5).tasks.size(), 1u);
  subject_->pass(3600s);
  EXPECT_EQ(claim(5).tasks.size(), 2u) << "a bucket holds no more";
}

TEST_P(Store, ARateGoesOnWhenTheClockGoesBack) {
  subject_->set_queue("q", {.rate = RateLimit{2, 60s, 2}});
  insert_many(6);
  EXPECT_EQ(claim(1).tasks.size(), 1u);
  subject_->pass(-3600s);
  EXPECT_EQ(claim(6).tasks.size(), 1u) << "what was left";
  const auto none = claim(6);
  EXPECT_TRUE(none.tasks.empty());
  ASSERT_EQ(none.held.size(), 1u);
  EXPECT_LE(none.held[0].wait, 31s);
  subject_->pass(-3600s);
  EXPECT_TRUE(claim(6).tasks.empty());
  subject_->pass(31s);
  EXPECT_EQ(claim(6).tasks.size(), 1u);
}

TEST_P(Store, AnEndpointSaysWhereAndHowMany) {
  subject_->set_endpoint("e", "http://there.test/", {.most_active = 2, .timeout = 9s});
  std::vector<NewTask> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(insert([](NewTask& each) {
      each.spec.url.clear();
      each.spec.endpoint = "e";
      each.spec.timeout = 0ms;
    }));
  }
  const auto of_endpoint = lane_of(tasks[0]);
  const auto answer = claim({{{of_endpoint, 5}}});
  ASSERT_EQ(answer.tasks.size(), 2u);
  EXPECT_EQ(answer.tasks[0].spec.url, "http://there.test/");
  EXPECT_EQ(answer.tasks[0].resolved, "e");
  EXPECT_EQ(answer.tasks[0].spec.timeout, 9s);
  ASSERT_EQ(answer.held.size(), 1u);
  EXPECT_TRUE(answer.held[0].full_up);
  settle(end_of(answer.tasks[0], State::completed));
  subject_->set_endpoint("e", "http://there.test/", {.paused = true});
  EXPECT_TRUE(claim({{{of_endpoint, 5}}}).tasks.empty());
}

TEST_P(Store, ATaskWithoutItsEndpointHasNoUrl) {
  const auto task = insert([](NewTask& each) {
    each.spec.url.clear();
    each.spec.endpoint = "nowhere";
  });
  const auto answer = claim({{{lane_of(task), 1}}});
  ASSERT_EQ(answer.tasks.size(), 1u);
  EXPECT_EQ(answer.tasks[0].spec.url, "");
  EXPECT_FALSE(answer.tasks[0].resolved);
}

// --- settlements ---------------------------------------------------------------------------------

TEST_P(Store, ASettlementEndsTheTask) {
  for (const State end : {State::completed, State::failed}) {
    const auto task = insert();
    EXPECT_EQ(settle(end_of(claim_one(), end)), std::vector{task.spec.id});
    const auto why = end == State::failed ? Reason::exhausted : Reason::none;
    EXPECT_EQ(subject_->see(task.spec.id), (Subject::Seen{end, why, 1}));
  }
}

TEST_P(Store, ASettlementUnderAnotherLeaseChangesNothing) {
  const auto task = insert();
  const auto first = claim_one();
  settle(end_of(first, State::delayed, 0ms));
  const auto second = claim_one();
  EXPECT_EQ(second.attempt, 2);
  EXPECT_TRUE(settle(end_of(first, State::completed)).empty());
  EXPECT_EQ(state(task.spec.id), State::active);
  EXPECT_EQ(settle(end_of(second, State::completed)), std::vector{task.spec.id});
  EXPECT_TRUE(settle(end_of(second, State::failed)).empty()) << "twice";
  EXPECT_EQ(subject_->see(task.spec.id), (Subject::Seen{State::completed, Reason::none, 2}));
}

TEST_P(Store, OfTwoEndsOfATaskInOneBatchTheLeaseDecides) {
  const auto task = insert();
  const auto first = claim_one();
  settle(end_of(first, State::delayed, 0ms));
  const std::vector batch{end_of(first, State::failed), end_of(claim_one(), State::completed)};
  const auto done =
      ask<db::Settled>([&](auto reply) { store().settle(Uuid{}, batch, std::move(reply)); });
  EXPECT_EQ(done.tasks, std::vector{task.spec.id});
  EXPECT_EQ(state(task.spec.id), State::completed);
}

TEST_P(Store, WhatIsGivenBackKeepsItsAttempt) {
  const auto task = insert();
  settle(end_of(claim_one(), State::ready));
  EXPECT_EQ(subject_->see(task.spec.id), (Subject::Seen{State::ready, Reason::none, 0}));
  EXPECT_EQ(claim_one().attempt, 1);
}

TEST_P(Store, ARetryWaitsForItsStart) {
  const auto task = insert();
  settle(end_of(claim_one(), State::delayed, 60s));
  EXPECT_EQ(subject_->see(task.spec.id), (Subject::Seen{State::delayed, Reason::none, 1}));
  EXPECT_TRUE(claim(1).tasks.empty());
  EXPECT_EQ(tick().promoted, 0);
  subject_->pass(61s);
  EXPECT_TRUE(claim(1).tasks.empty()) << "nobody has promoted it";
  EXPECT_EQ(tick().promoted, 1);
  EXPECT_EQ(claim_one().attempt, 2);
}

INSTANTIATE_TEST_SUITE_P(Both, Store, kStores, kNames);

}  // namespace
}  // namespace postern::simulation
