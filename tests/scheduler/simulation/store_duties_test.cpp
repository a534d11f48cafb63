// What the duties' questions mean: the tick, beats, orphans, lost claims, schedules.
#include <chrono>

#include "scheduler/duties/schedules.h"
#include "tests/scheduler/simulation/store_suite.h"

namespace postern::simulation {
namespace {

class DutyStore : public Store {};

// --- the tick ------------------------------------------------------------------------------------

TEST_P(DutyStore, ATickPromotesWhatIsDue) {
  const auto later = [](Microseconds delay) {
    return [delay](NewTask& each) { each.delay = delay; };
  };
  insert(later(10s));
  insert(later(20s));
  insert(later(100s));
  const auto before = tick();
  EXPECT_TRUE(before.ready_lanes.empty());
  ASSERT_TRUE(before.next_due);
  EXPECT_GT(*before.next_due, 5s);
  EXPECT_LE(*before.next_due, 10'001ms);
  subject_->pass(30s);
  EXPECT_EQ(tick(1).promoted, 1);
  const auto rest = tick(5);
  EXPECT_EQ(rest.promoted, 1);
  ASSERT_EQ(rest.promoted_lanes.size(), 1u);
  EXPECT_EQ(rest.promoted_lanes[0].lane, lane());
  EXPECT_EQ(tick().ready_lanes, std::vector{lane()});
  EXPECT_EQ(claim(9).tasks.size(), 2u);
}

TEST_P(DutyStore, ATickTellsWhenASchedulePasses) {
  EXPECT_FALSE(tick().next_occurrence);
  Schedule schedule;
  schedule.name = "s";
  schedule.task.queue = "q";
  set_interval(schedule, 60s);
  schedule.created_at = schedule.updated_at = subject_->now();
  schedule.next_at = schedule.created_at + 60s;
  subject_->set_schedule(schedule, "default");
  const auto wait = tick().next_occurrence;
  ASSERT_TRUE(wait);
  EXPECT_GT(*wait, 50s);
  EXPECT_LE(*wait, 60s);
}

// --- who is there --------------------------------------------------------------------------------

TEST_P(DutyStore, ABeatCountsUpAndTellsOfTheOthers) {
  const Uuid one = random_uuid(), two = random_uuid();
  beat(one);
  beat(two);
  const auto count_of = [&](const std::vector<db::Heartbeat>& beats) -> std::int64_t {
    const auto found =
        std::ranges::find_if(beats, [&](const auto& each) { return each.id == one; });
    return found == beats.end() ? -1 : found->beat;
  };
  const auto before = count_of(beat(two));
  EXPECT_GE(before, 0);
  EXPECT_EQ(count_of(beat(two)), before);
  beat(one);
  EXPECT_EQ(count_of(beat(two)), before + 1);
  subject_->leave(one);
  EXPECT_EQ(count_of(beat(two)), -1);
}

TEST_P(DutyStore, OrphansAreThoseOfTheDeadTheGoneAndTheExpired) {
  const Uuid alive = random_uuid();
  beat(alive);
  insert([](NewTask& each) { each.spec.timeout = 10s; });
  const auto task = claim_one(alive);
  EXPECT_TRUE(orphans().tasks.empty());
  const auto of_the_dead = orphans({{alive, beat_of(alive)}});
  ASSERT_EQ(of_the_dead.tasks.size(), 1u);
  EXPECT_TRUE(of_the_dead.tasks[0].instance_gone);
  EXPECT_EQ(of_the_dead.tasks[0].instance, alive);
  EXPECT_EQ(of_the_dead.tasks[0].task.attempt, 1);
  EXPECT_EQ(of_the_dead.tasks[0].task.lease, task.lease);
  subject_->pass(41s);
  const auto expired = orphans();
  ASSERT_EQ(expired.tasks.size(), 1u);
  EXPECT_FALSE(expired.tasks[0].instance_gone);
  EXPECT_EQ(expired.tasks[0].task.lease_until - expired.tasks[0].task.claimed_at, 40s);
  EXPECT_FALSE(expired.next);
  subject_->leave(alive);
  const auto gone = orphans();
  ASSERT_EQ(gone.tasks.size(), 1u);
  EXPECT_TRUE(gone.tasks[0].instance_gone);
  settle(end_of(task, State::completed));
  EXPECT_TRUE(orphans().tasks.empty());
}

TEST_P(DutyStore, WhoHasBeatenSinceItWasSeenLives) {
  const Uuid other = random_uuid();
  beat(other);
  const auto seen = beat_of(other);
  insert();
  claim_one(other);
  EXPECT_EQ(orphans({{other, seen}}).tasks.size(), 1u);
  beat(other);
  EXPECT_TRUE(orphans({{other, seen}}).tasks.empty());
  EXPECT_EQ(orphans({{other, seen + 1}}).tasks.size(), 1u);
}

TEST_P(DutyStore, ADeferredAttemptIsAnOrphanWhenItsTimeIsOver) {
  insert();
  settle(end_of(claim_one(), State::active, 60s));
  EXPECT_TRUE(orphans().tasks.empty()) << "it belongs to nobody, and has time";
  subject_->pass(61s);
  const auto over = orphans();
  ASSERT_EQ(over.tasks.size(), 1u);
  EXPECT_TRUE(over.tasks[0].task.deferred);
  EXPECT_TRUE(over.tasks[0].instance_gone);
}

TEST_P(DutyStore, ALostClaimIsFoundByItsLease) {
  const Uuid instance = random_uuid();
  insert_many(2);
  const auto mine = claim_one(instance);
  const auto theirs = claim_one(random_uuid());
  const std::vector leases{mine.lease, theirs.lease, random_uuid()};
  const auto lost = [&] {
    return ask<std::vector<db::LostClaim>>(
        [&](auto reply) { store().lost_claims(instance, leases, std::move(reply)); });
  };
  ASSERT_EQ(lost().size(), 1u);
  EXPECT_EQ(lost()[0].id, mine.spec.id);
  EXPECT_EQ(lost()[0].lease, mine.lease);
  settle(end_of(mine, State::active, 60s));
  EXPECT_TRUE(lost().empty()) << "its receiver has it";
}

TEST_P(DutyStore, OnlyWhatWaitsIsCancelled) {
  const auto tasks = insert_many(2);
  const auto claimed = claim_one();
  EXPECT_FALSE(subject_->cancel(claimed.spec.id));
  const auto& waits = claimed.spec.id == tasks[0].spec.id ? tasks[1] : tasks[0];
  EXPECT_TRUE(subject_->cancel(waits.spec.id));
  EXPECT_TRUE(claim(5).tasks.empty());
  EXPECT_EQ(subject_->see(waits.spec.id), (Subject::Seen{State::cancelled, Reason::cancelled, 0}));
}

// --- schedules -----------------------------------------------------------------------------------

class ScheduleStore : public Store {
 protected:
  // Every minute, and due since a second ago.
  void make(Overlap overlap = Overlap::allow) { make("default", "s", 1s, overlap); }
  void make(const std::string& tenant, const std::string& name, Seconds since,
            Overlap overlap = Overlap::allow) {
    Schedule schedule;
    schedule.name = name;
    static constexpr FieldNames kFields;
    schedule.task.fields = &kFields;
    schedule.task.queue = "q";
    schedule.task.url = "http://receiver.test/";
    set_interval(schedule, 60s);
    schedule.overlap = overlap;
    const Time now = std::chrono::floor<Seconds>(subject_->now());
    schedule.created_at = schedule.updated_at = now - since - 60s;
    schedule.next_at = now - since;
    subject_->set_schedule(schedule, tenant);
  }
  // "a1 b1 | b": what is due, the last tenant in turn, and "more".
  std::string told(const db::DueScope& scope) {
    const auto found = due(scope);
    std::string out;
    for (const auto& each : found.schedules) out += each.tenant + each.schedule.name + " ";
    return out + "| " + found.turn + (found.more ? " more" : "");
  }
  std::vector<db::Firing> plan() {
    std::vector<db::Firing> out;
    const auto found = due();
    for (const auto& each : found.schedules) {
      out.push_back(
          scheduler::plan_firing(each, found.now, found.paused, [] { return new_task().spec.id; }));
    }
    return out;
  }
};

TEST_P(ScheduleStore, AnOccurrenceFiresOnceWhoeverPlansIt) {
  make();
  const auto mine = plan(), theirs = plan();
  ASSERT_EQ(mine.size(), 1u);
  const auto first = fire(mine), second = fire(theirs), third = fire(mine);
  EXPECT_EQ(first.schedules, 1);
  EXPECT_EQ(first.tasks, 1);
  EXPECT_EQ(second.schedules + second.tasks, 0);
  EXPECT_EQ(third.schedules + third.tasks, 0);
  EXPECT_TRUE(due().schedules.empty());
  EXPECT_EQ(claim(9).tasks.size(), 1u);
}

TEST_P(ScheduleStore, AnOccurrenceThatIsRecordedMakesNoSecondTask) {
  make();
  auto firings = plan();
  ASSERT_EQ(firings.size(), 1u);
  const auto occurrence = firings[0].occurrences.at(0);
  firings[0].next_at = firings[0].read_next_at;  // as if it were still to come
  EXPECT_EQ(fire(firings).tasks, 1);
  firings[0].occurrences[0].task->spec.id = new_task().spec.id;
  const auto again = fire(firings);
  EXPECT_EQ(again.schedules, 1);
  EXPECT_EQ(again.tasks, 0);
}

TEST_P(ScheduleStore, ALiveTaskOfTheRunBeforeIsAnOverlap) {
  make(Overlap::skip);
  EXPECT_EQ(fire(plan()).tasks, 1);
  subject_->pass(60s);
  ASSERT_EQ(due().schedules.size(), 1u);
  EXPECT_TRUE(due().schedules[0].overlaps);
  settle(end_of(claim_one(), State::completed));
  EXPECT_FALSE(due().schedules[0].overlaps);
}

TEST_P(ScheduleStore, TenantsTakeTurnsWhenMoreAreDueThanAStepTakes) {
  for (const char* name : {"1", "2", "3", "4", "5"}) make("b", name, Seconds{20 - name[0] + '0'});
  make("a", "1", 5s);
  make("c", "1", 2s);
  make("c", "2", 3s);
  make("d", "1", -30s);
  EXPECT_EQ(told({.most = 9}), "a1 b1 c2 b2 c1 b3 b4 b5 | c");
  EXPECT_EQ(told({.behind = "b", .most = 9}), "c2 a1 b1 c1 b2 b3 b4 b5 | b");
  EXPECT_EQ(told({.most = 8}), "a1 b1 c2 b2 c1 | d more") << "two of each";
  EXPECT_EQ(told({.most = 5}), "a1 b1 c2 | d more") << "one of each";
  EXPECT_EQ(told({.behind = "a", .most = 5}), "b1 c2 a1 | a more");
  EXPECT_EQ(told({.most = 2}), "a1 b1 | b more");
  EXPECT_EQ(told({.behind = "b", .most = 2}), "c2 a1 | a more");
  EXPECT_EQ(told({.behind = "a", .most = 2}), "b1 c2 | c more");
  EXPECT_EQ(told({.behind = "d", .most = 1}), "a1 | a more");
  EXPECT_EQ(told({.behind = "b", .most = 1}), "c2 | c more");
}

TEST_P(ScheduleStore, NothingIsDue) {
  EXPECT_EQ(told({}), "| ");
  make("a", "1", -30s);
  EXPECT_EQ(told({}), "| ");
}

TEST_P(ScheduleStore, ATenantWithAsManyTasksWaitingAsItMayIsOverItsQuota) {
  make();
  make("other", "s", 1s);
  insert_many(3);
  subject_->measure();
  const auto over = [&](std::int64_t quota) {
    const auto found = due({.quota_waiting = quota});
    EXPECT_EQ(found.schedules.size(), 2u);
    EXPECT_FALSE(found.schedules.back().over_quota) << "it is not the other's quota";
    return found.schedules.front().over_quota;
  };
  EXPECT_FALSE(over(0));
  EXPECT_FALSE(over(4));
  EXPECT_TRUE(over(3));
  claim_one();
  subject_->measure();
  EXPECT_FALSE(over(3)) << "one is active";
}

TEST_P(ScheduleStore, TheEnginesPauseIsTold) {
  make();
  EXPECT_FALSE(due().paused);
  subject_->pause(true);
  EXPECT_TRUE(due().paused);
}

INSTANTIATE_TEST_SUITE_P(Both, DutyStore, kStores, kNames);
INSTANTIATE_TEST_SUITE_P(Both, ScheduleStore, kStores, kNames);

}  // namespace
}  // namespace postern::simulation
