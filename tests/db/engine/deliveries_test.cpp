#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "db/engine/attempt_times.h"
#include "db/engine/claim.h"
#include "db/engine/orphans.h"
#include "db/engine/settle.h"
#include "db/engine/tick.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Deliveries : public ::testing::Test {
 protected:
  db::Claimed claim_one() { return claim(scheduler_, 1).at(0); }
  std::vector<TaskId> settle(const std::vector<db::Settlement>& batch) {
    return db::settled_from(scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, batch))).tasks;
  }
  static Attempt attempt_of(const db::Claimed& claimed, const std::string& status) {
    return {claimed.attempt, status, std::nullopt, "why", claimed.claimed_at, Milliseconds{3}, ""};
  }
  db::Tick tick(int limit = 1000) {
    return db::tick_from(scheduler_.exec(db::kTick, db::tick_params({limit})));
  }
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }

  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  db::PgConnection owner_ = database_.connect();
};

using Claim = Deliveries;

TEST_F(Claim, ByPriorityThenStart) {
  auto low = new_task(), high = new_task(), early = new_task();
  low.spec.priority = 10;
  high.spec.priority = 90;
  early.spec.priority = 10;
  early.run_at = *parse_rfc3339("2001-01-01T00:00:00Z");
  insert(api_, {low, high, early});
  std::vector<TaskId> order;
  for (int i = 0; i < 3; ++i) order.push_back(claim_one().spec.id);
  EXPECT_EQ(order, (std::vector{high.spec.id, early.spec.id, low.spec.id}));
}

TEST_F(Claim, GivesALeaseAndCountsTheAttempt) {
  const auto task = new_task();
  insert(api_, {task});
  const auto claimed = claim_one();
  EXPECT_EQ(claimed.attempt, 1);
  EXPECT_EQ(claimed.lane, lane_of(task));
  EXPECT_EQ(claimed.spec.body, task.spec.body);
  EXPECT_EQ(claimed.lease_until - claimed.claimed_at, task.spec.timeout + Seconds{30});
  EXPECT_FALSE(claimed.past_deadline);
  ASSERT_EQ(claimed.secrets.size(), 1U);
  EXPECT_EQ(claimed.secrets[0].substr(0, 6), "whsec_");
  EXPECT_TRUE(claim(scheduler_, 1).empty());
}

TEST_F(Claim, CarriesBothSecretsDuringARotation) {
  owner_.script(
      "UPDATE postern.tenant_secret SET previous = 'whsec_old', previous_until = now() + interval "
      "'1 hour'");
  insert(api_, {new_task(), new_task()});
  EXPECT_EQ(claim_one().secrets.size(), 2U);
  owner_.script("UPDATE postern.tenant_secret SET previous_until = now() - interval '1 second'");
  EXPECT_EQ(claim_one().secrets.size(), 1U);
}

TEST_F(Claim, TellsWhatIsPastItsDeadline) {
  insert(api_, {new_task()});
  owner_.script("UPDATE postern.task SET deadline = now() - interval '1 second'");
  EXPECT_TRUE(claim_one().past_deadline);
}

TEST_F(Claim, NeverTakesMoreThanAskedEvenOfABadPlan) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(new_task());
  insert(api_, tasks);
  scheduler_.script(
      "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_hashagg = off");
  EXPECT_EQ(claim(scheduler_, 7).size(), 7U);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lease"), 7);
}

TEST_F(Claim, IsFairAmongLanes) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(new_task("busy"));
  tasks.push_back(new_task("calm"));
  insert(api_, tasks);
  const std::vector<db::LaneSlots> lanes{{lane_of(new_task("busy")), 2},
                                         {lane_of(new_task("calm")), 2}};
  const auto lease = random_uuid();
  const auto claimed =
      db::claimed_from(
          scheduler_.exec(db::kClaim, db::claim_params(lanes, lease, Uuid{}, Seconds{30})), lease,
          Seconds{30})
          .tasks;
  EXPECT_EQ(claimed.size(), 3U);
}

TEST_F(Claim, TwoSchedulersNeverShareATask) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 300; ++i) tasks.push_back(new_task());
  insert(api_, tasks);
  std::mutex mutex;
  std::multiset<TaskId> claimed;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        auto connection = database_.connect("postern_scheduler");
        for (;;) {
          const auto got = claim(connection, 5);
          const std::lock_guard lock(mutex);
          for (const auto& c : got) claimed.insert(c.spec.id);
          if (got.empty() && claimed.size() == 300) return;
        }
      });
    }
  }
  EXPECT_EQ(claimed.size(), 300U);
  EXPECT_EQ(std::set<TaskId>(claimed.begin(), claimed.end()).size(), 300U);
}

using Settle = Deliveries;

TEST_F(Settle, MovesAFinishedTask) {
  const auto task = new_task();
  insert(api_, {task});
  const auto claimed = claim_one();
  auto done = db::settlement(claimed, State::completed);
  done.attempt = attempt_of(claimed, "success");
  done.result =
      Answer{201, {{"content-type", "text/plain"}}, std::string("\0\xff", 2), Milliseconds{42}};
  EXPECT_EQ(settle({done}), std::vector{task.spec.id});

  const auto back = *read(api_, task.spec.id);
  EXPECT_EQ(back.state, State::completed);
  EXPECT_TRUE(back.finished_at);
  ASSERT_TRUE(back.result);
  EXPECT_EQ(back.result->status, 201);
  EXPECT_EQ(back.result->body, done.result->body);
  EXPECT_EQ(back.result->headers, done.result->headers);
  EXPECT_EQ(back.result->duration, Milliseconds{42});
  EXPECT_EQ(back.spec.body, task.spec.body);
  EXPECT_NE(back.attempts.find("\"success\""), std::string::npos);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task"), 0);
  EXPECT_EQ(counter(owner_, "attempts_success"), 1);
  EXPECT_EQ(counter(owner_, "finished_completed"), 1);
}

TEST_F(Settle, DelaysARetryByTheDatabasesClock) {
  const auto task = new_task();
  insert(api_, {task});
  const auto claimed = claim_one();
  auto again = db::settlement(claimed, State::delayed);
  again.delay = Milliseconds{90'000};
  again.last_error = "HTTP 500";
  again.attempt = attempt_of(claimed, "failed");
  settle({again});
  const auto back = *read(api_, task.spec.id);
  EXPECT_EQ(back.state, State::delayed);
  EXPECT_EQ(back.run_at - back.updated_at, Milliseconds{90'000});
  EXPECT_EQ(back.last_error, "HTTP 500");
  EXPECT_EQ(back.attempt, 1);
}

TEST_F(Settle, GivesBackWithoutSpendingTheAttempt) {
  const auto task = new_task();
  insert(api_, {task});
  const auto claimed = claim_one();
  settle({{task.spec.id, claimed.lease, State::ready}});
  const auto back = *read(api_, task.spec.id);
  EXPECT_EQ(back.state, State::ready);
  EXPECT_EQ(back.attempt, 0);
  EXPECT_EQ(back.attempts, "[]");
  EXPECT_EQ(claim_one().attempt, 1);
}

TEST_F(Settle, IgnoresALostLease) {
  const auto task = new_task();
  insert(api_, {task});
  const auto old = claim_one();
  settle({{task.spec.id, old.lease, State::ready}});  // as a rescue would
  const auto held = claim_one();
  auto late = db::settlement(old, State::completed);
  late.attempt = attempt_of(old, "success");
  EXPECT_TRUE(settle({late}).empty());
  EXPECT_EQ(read(api_, task.spec.id)->state, State::active);
  EXPECT_EQ(counter(owner_, "attempts_success"), 0);
  auto ours = db::settlement(held, State::completed);
  EXPECT_EQ(settle({ours}).size(), 1U);
  EXPECT_TRUE(settle({ours}).empty()) << "twice changes nothing";
}

TEST_F(Settle, CountsAttemptsByHowLongTheyTookAndHowLateTheyWere) {
  insert(api_, {new_task("a"), new_task("a"), new_task("b"), new_task("b")});
  owner_.script("UPDATE postern.task SET run_at = now() - interval '1 minute' WHERE queue = 'b'");
  auto claimed = claim(scheduler_, 2, "a");
  for (auto& each : claim(scheduler_, 2, "b")) claimed.push_back(std::move(each));
  const Milliseconds took[] = {Milliseconds{5}, Milliseconds{6}, Milliseconds{10'000},
                               Milliseconds{10'001}};
  std::vector<db::Settlement> batch;
  for (std::size_t i = 0; i < claimed.size(); ++i) {
    batch.push_back(db::settlement(claimed[i], State::completed));
    batch.back().attempt = attempt_of(claimed[i], "success");
    batch.back().attempt->duration = took[i];
  }
  for (const auto& half : {std::span(batch).first(2), std::span(batch).last(2)}) {
    db::AttemptTimes times;
    for (const auto& end : half) times.add(end);
    times.add(db::settlement(claimed.front(), State::ready));  // given back: no attempt
    scheduler_.exec(db::kCountTimes, times.params(Uuid{}));
  }
  for (const char* bucket : {"duration_0", "duration_1", "duration_13", "duration_14"}) {
    EXPECT_EQ(counter(owner_, bucket), 1) << bucket;
  }
  EXPECT_EQ(counter(owner_, "duration_ms"), 20'012);
  EXPECT_EQ(counter(owner_, "lateness_14"), 2);
  EXPECT_GE(counter(owner_, "lateness_ms"), 120'000);
}

TEST_F(Settle, AMixedBatchGoesWhereEachBelongs) {
  std::vector<NewTask> tasks{new_task(), new_task(), new_task(), new_task()};
  insert(api_, tasks);
  const auto claimed = claim(scheduler_, 4);
  std::vector<db::Settlement> batch;
  const State ends[] = {State::completed, State::failed, State::delayed, State::ready};
  for (std::size_t i = 0; i < 4; ++i) {
    batch.push_back(db::settlement(claimed[i], ends[i],
                                   ends[i] == State::failed ? Reason::exhausted : Reason::none));
    batch.back().delay = Milliseconds{1000};
  }
  EXPECT_EQ(settle(batch).size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(read(api_, claimed[i].spec.id)->state, ends[i]);
  EXPECT_EQ(read(api_, claimed[1].spec.id)->reason, Reason::exhausted);
}

TEST_F(Settle, TakesAnyByteOfAnAnswer) {
  const auto task = new_task();
  insert(api_, {task});
  const auto claimed = claim_one();
  auto done = db::settlement(claimed, State::failed, Reason::exhausted);
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  done.attempt = Attempt{1, "failed", 500, "bad\xc3", claimed.claimed_at, Milliseconds{1}, every};
  done.result = Answer{500, {{"x", "\xff"}}, every, Milliseconds{1}};
  EXPECT_EQ(settle({done}).size(), 1U);
  EXPECT_EQ(read(api_, task.spec.id)->result->body, every);
}

TEST_F(Settle, TheQueuePicksTheRetentionClass) {
  insert(api_, {new_task()});
  owner_.script(
      "INSERT INTO postern.queue (tenant, name, retention_completed) VALUES ('default', 'q', "
      "'short')");
  const auto claimed = claim_one();
  settle({{claimed.spec.id, claimed.lease, State::completed}});
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_finished_short"), 1);
}

TEST_F(Settle, WorksWhenNoPartitionOfTheDayExists) {
  insert(api_, {new_task()});
  owner_.script(R"sql(
    DO $$ DECLARE t text; BEGIN
      FOR t IN SELECT relname FROM pg_class WHERE relname ~ '^task_finished_standard_[0-9]+$' LOOP
        EXECUTE 'DROP TABLE postern.' || t;
      END LOOP;
    END $$)sql");
  const auto claimed = claim_one();
  EXPECT_EQ(settle({{claimed.spec.id, claimed.lease, State::completed}}).size(), 1U);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_finished_standard_default"), 1);
}

using Tick = Deliveries;

TEST_F(Tick, FindsLanesPromotesAndSeesWhatIsNext) {
  EXPECT_TRUE(tick().ready_lanes.empty());
  auto due = new_task("due"), later = new_task("later");
  due.delay = later.delay = std::chrono::hours{1};
  insert(api_, {new_task("a"), new_task("b"), new_task("b"), due, later});
  owner_.script("UPDATE postern.task SET run_at = now() - interval '1 s' WHERE queue = 'due'");
  const auto found = tick();
  EXPECT_EQ(found.promoted, 1);
  EXPECT_EQ((std::set<std::int64_t>(found.ready_lanes.begin(), found.ready_lanes.end())),
            (std::set{lane_of(new_task("a")), lane_of(new_task("b"))}));
  EXPECT_EQ(found.ready_lanes.size(), 2U);
  ASSERT_EQ(found.promoted_lanes.size(), 1U);
  EXPECT_EQ(found.promoted_lanes[0].lane, lane_of(new_task("due")));
  EXPECT_EQ(found.promoted_lanes[0].run_at.time_since_epoch().count(),
            scalar("SELECT (extract(epoch FROM run_at) * 1000000)::bigint FROM postern.task "
                   "WHERE queue = 'due'"));
  ASSERT_TRUE(found.next_due);
  EXPECT_GT(*found.next_due, std::chrono::minutes{59});
  EXPECT_LE(*found.next_due, std::chrono::minutes{60} + Milliseconds{1});
  EXPECT_FALSE(found.unrouted);
}

TEST_F(Tick, PromotesNoMoreThanItsLimit) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(new_task());
    tasks.back().delay = std::chrono::hours{1};
  }
  insert(api_, tasks);
  owner_.script("UPDATE postern.task SET run_at = now() - interval '1 s'");
  EXPECT_EQ(tick(4).promoted, 4);
  EXPECT_EQ(tick(100).promoted, 6);
}

class Orphans : public Deliveries {
 protected:
  Orphans() {
    owner_.exec({"",
                 "INSERT INTO postern.instance (id, program, name, version) VALUES ($1, "
                 "'postern-scheduler', 'n', '0')"},
                db::Params().uuid(instance_));
    insert(api_, {new_task()});
    claim(scheduler_, 1, "q", instance_);
  }
  std::vector<db::Orphan> orphans(const std::vector<db::SilentInstance>& dead = {}) {
    return db::orphans_from(scheduler_.exec(db::kOrphans, db::orphans_params(dead, {}))).tasks;
  }
  Uuid instance_ = random_uuid();
};

TEST_F(Orphans, ALivingInstanceKeepsItsTasks) { EXPECT_TRUE(orphans().empty()); }

TEST_F(Orphans, ADeadInstanceDoesNot) {
  const auto found = orphans({{instance_, 0}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].instance_gone);
  EXPECT_EQ(found[0].instance, instance_);
  EXPECT_EQ(found[0].task.attempt, 1);
}

TEST_F(Orphans, OneThatHasBeatenSinceItWasSeenDoes) {
  owner_.script("UPDATE postern.instance SET beat = beat + 1");
  EXPECT_TRUE(orphans({{instance_, 0}}).empty());
  EXPECT_EQ(orphans({{instance_, 1}}).size(), 1U);
}

TEST_F(Orphans, OneWithoutARowDoesNot) {
  owner_.script("DELETE FROM postern.instance");
  ASSERT_EQ(orphans().size(), 1U);
  EXPECT_TRUE(orphans()[0].instance_gone);
}

TEST_F(Orphans, AnExpiredLeaseIsToldApart) {
  owner_.script("UPDATE postern.lease SET until = now() - interval '1 s'");
  ASSERT_EQ(orphans().size(), 1U);
  EXPECT_FALSE(orphans()[0].instance_gone);
}

// A week's heartbeats are more milliseconds than their column holds.
TEST(Int4Ms, IsNeverNegative) {
  EXPECT_EQ(db::int4_ms(Milliseconds{12}), 12);
  EXPECT_EQ(db::int4_ms(std::chrono::days{30}), std::numeric_limits<std::int32_t>::max());
}

}  // namespace
}  // namespace postern::test
