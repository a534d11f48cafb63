// The lease beside the task: who claims, who may end an attempt, and who comes between.
#include <gtest/gtest.h>

#include <thread>

#include "db/engine/claim.h"
#include "db/engine/orphans.h"
#include "db/engine/settle.h"
#include "db/engine/tick.h"
#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Lease : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }
  db::ClaimAnswer claim_from(std::span<const db::LaneMark> marks, int free = 10) {
    const db::LaneClaim lane{{lane_of(new_task()), free}, &name_, marks};
    const auto lease = random_uuid();
    return db::claimed_from(scheduler_.exec(db::kClaim, db::claim_params(std::span(&lane, 1), lease,
                                                                         Uuid{}, Seconds{30})),
                            lease, Seconds{30});
  }
  static NewTask at(int second, int priority = 50) {
    auto task = new_task();
    task.spec.priority = priority;
    task.run_at = Time{Seconds{1'700'000'000 + second}};
    return task;
  }
  // Tasks as they are found, each by its start and priority.
  std::vector<std::pair<std::int64_t, int>> found(std::span<const db::LaneMark> marks) {
    std::vector<std::pair<std::int64_t, int>> out;
    for (const auto& task : claim_from(marks).tasks) {
      out.emplace_back(
          std::chrono::floor<Seconds>(task.run_at).time_since_epoch().count() - 1'700'000'000,
          task.spec.priority);
    }
    return out;
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  const db::LaneName name_{"default", "q", ""};
};

using Found = std::vector<std::pair<std::int64_t, int>>;

TEST_F(Lease, AClaimLeavesTheTasksRowAsItIs) {
  insert(api_, {new_task()});
  const auto before = owner_.exec({"", "SELECT ctid::text, xmin::text FROM postern.task"});
  EXPECT_EQ(claim(scheduler_, 1).size(), 1U);
  const auto after = owner_.exec({"", "SELECT ctid::text, xmin::text FROM postern.task"});
  EXPECT_EQ(before.text(0, 0), after.text(0, 0));
  EXPECT_EQ(before.text(0, 1), after.text(0, 1));
  EXPECT_TRUE(claim(scheduler_, 1).empty()) << "once is enough";
}

TEST_F(Lease, AClaimBeginsBehindItsMark) {
  insert(api_, {at(1), at(2), at(3)});
  const db::LaneMark mark{50, at(2).run_at.value(), Uuid{}};
  EXPECT_EQ(found(std::span(&mark, 1)), (Found{{2, 50}, {3, 50}}));
  EXPECT_EQ(found({}), (Found{{1, 50}})) << "what lies before it is not lost";
}

TEST_F(Lease, OtherPrioritiesAreScannedWhole) {
  insert(api_, {at(1, 90), at(1, 50), at(3, 50), at(1, 30), at(1, 10), at(1, 100), at(1, 0)});
  const db::LaneMark marks[] = {{50, at(2).run_at.value(), Uuid{}},
                                {70, at(2).run_at.value(), Uuid{}}};
  EXPECT_EQ(found(marks), (Found{{1, 100}, {1, 90}, {3, 50}, {1, 10}, {1, 0}}));
  EXPECT_EQ(found({}), (Found{{1, 50}, {1, 30}}));
}

TEST_F(Lease, MarksAtBothEndsOfThePriorities) {
  insert(api_, {at(1, 100), at(3, 100), at(1, 50), at(1, 0), at(3, 0)});
  const db::LaneMark marks[] = {{0, at(2).run_at.value(), Uuid{}},
                                {100, at(2).run_at.value(), Uuid{}}};
  EXPECT_EQ(found(marks), (Found{{3, 100}, {1, 50}, {3, 0}}));
}

TEST_F(Lease, ATickLooksBehindMarksToo) {
  insert(api_, {at(1), at(2)});
  const auto lane = lane_of(new_task());
  const auto ready = [&](int second) {
    const db::LaneMark mark{50, at(second).run_at.value(), Uuid{}};
    const db::MarkedLane known{lane, std::span(&mark, 1)};
    return db::tick_from(scheduler_.exec(db::kTick, db::tick_params({10, std::span(&known, 1)})))
        .ready_lanes;
  };
  EXPECT_EQ(ready(2), std::vector{lane});
  EXPECT_TRUE(ready(3).empty());
}

TEST_F(Lease, ATickFindsTheLanesBetweenThoseThatAreKnown) {
  std::vector<std::int64_t> lanes;
  for (const char* queue : {"a", "b", "c", "d", "e"}) {
    insert(api_, {new_task(queue)});
    lanes.push_back(lane_of(new_task(queue)));
  }
  std::ranges::sort(lanes);
  for (const std::vector<std::size_t>& known : std::vector<std::vector<std::size_t>>{
           {}, {0}, {4}, {2}, {0, 1}, {1, 3}, {3, 4}, {0, 1, 2, 3, 4}}) {
    std::vector<db::MarkedLane> marked;
    auto expected = lanes;
    for (const auto i : known) {
      marked.push_back({lanes[i], {}});
    }
    auto seen =
        db::tick_from(scheduler_.exec(db::kTick, db::tick_params({10, marked}))).ready_lanes;
    std::ranges::sort(seen);
    EXPECT_EQ(seen, expected) << known.size();
  }
}

TEST_F(Lease, OneClaimBringsTasksUntilTheyHaveAFewMegabytes) {
  std::vector<NewTask> tasks;
  for (const std::size_t mebibytes : {3, 3, 3, 9, 0}) {
    tasks.push_back(new_task());
    tasks.back().spec.body = std::string(mebibytes << 20, 'x');
  }
  insert(api_, tasks);
  std::vector<std::size_t> brought;
  for (int i = 0; i < 4; ++i) {
    const auto answer = claim_from({});
    brought.push_back(answer.tasks.size());
    EXPECT_EQ(answer.held.size(), i < 2 ? 1U : 0U) << "the lane has more";
  }
  EXPECT_EQ(brought, (std::vector<std::size_t>{2, 2, 1, 0}));
}

// Its lease was not to be seen yet when the tasks were picked.
TEST_F(Lease, WhatAnotherHasClaimedInTheMeantimeIsNotClaimedAgain) {
  insert(api_, {new_task(), new_task()});
  auto other = database_.connect();
  db::Transaction claim(other);
  other.script(
      "INSERT INTO postern.lease (task, lease, until, tenant, queue) SELECT id, "
      "gen_random_uuid(), now(), tenant, queue FROM postern.task ORDER BY id LIMIT 1");
  db::ClaimAnswer answer;
  std::thread late([&] { answer = claim_from({}); });
  while (owner_.exec({"", "SELECT FROM pg_locks WHERE NOT granted"}).rows() == 0) {
  }
  claim.commit();
  late.join();
  EXPECT_EQ(answer.tasks.size(), 1U);
  ASSERT_EQ(answer.held.size(), 1U) << "the lane may have more";
  EXPECT_EQ(answer.held[0].wait, Milliseconds{1});
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lease"), 2);
}

TEST_F(Lease, ATaskThatIsBeingClaimedIsNotCancelled) {
  insert(api_, {new_task()});
  const auto id = owner_.exec({"", "SELECT id FROM postern.task"}).uuid(0, 0);
  db::Transaction claiming(scheduler_);
  EXPECT_EQ(claim(scheduler_, 1).size(), 1U);
  db::Transition said;
  std::thread canceller([&] { said = db::cancel_task(api_, "default", id, Uuid{}); });
  while (owner_.exec({"", "SELECT FROM pg_locks WHERE NOT granted"}).rows() == 0) {
  }
  claiming.commit();
  canceller.join();
  EXPECT_EQ(said.state, State::active);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task"), 1);
}

TEST_F(Lease, APurgePassesOverWhatIsBeingClaimed) {
  insert(api_, {new_task(), new_task()});
  ASSERT_EQ(claim(scheduler_, 1).size(), 1U);
  EXPECT_EQ(scalar("SELECT postern.purge_queue('default', 'q', now(), 'cancelled', 'purged', "
                   "gen_random_uuid(), 10)"),
            1);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_live WHERE state = 'active'"), 1);
}

TEST_F(Lease, OutlivesATaskThatIsDeletedAndGoesWithTheAttempt) {
  auto task = new_task();
  task.spec.dialect = Dialect::asyncjobs;
  insert(api_, {task});
  const auto claimed = claim(scheduler_, 1).at(0);
  EXPECT_EQ(db::delete_task(api_, "default", task.spec.id, Uuid{}, Dialect::asyncjobs).kind,
            db::Transition::Kind::done);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_all"), 0);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lease"), 1) << "it counts for the queue's limit";
  const auto end = db::settlement(claimed, State::completed);
  scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&end, 1)));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lease"), 0);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_all"), 0);
}

TEST_F(Lease, OfATaskThatIsGoneIsForgottenOnceItHasExpired) {
  insert(api_, {new_task(), new_task()});
  ASSERT_EQ(claim(scheduler_, 2).size(), 2U);
  owner_.script(
      "DELETE FROM postern.task WHERE id = (SELECT task FROM postern.lease ORDER BY task LIMIT 1)");
  scheduler_.exec(db::kOrphans, db::orphans_params({}, {}));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lease"), 2);
  owner_.script("UPDATE postern.lease SET until = now() - interval '1 second'");
  scheduler_.exec(db::kOrphans, db::orphans_params({}, {}));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.lease"), 1) << "the other's task is there";
}

}  // namespace
}  // namespace postern::test
