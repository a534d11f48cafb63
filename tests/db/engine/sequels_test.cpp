// What follows from a task's end: who waited for it, whose turn it is, its callback.
#include "db/engine/sequels.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "core/wire/callback.h"
#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Sequels : public ::testing::Test {
 protected:
  NewTask depending(const std::vector<TaskId>& on) {
    auto task = new_task();
    task.spec.dependencies = on;
    return task;
  }
  NewTask keyed(const std::string& key) {
    auto task = new_task();
    task.spec.key = key;
    return task;
  }
  // Ends one claimed task.
  void settle(const db::Claimed& claimed, State state) {
    const db::Settlement settlement{
        .id = claimed.spec.id,
        .lease = claimed.lease,
        .state = state,
        .reason = state == State::failed ? Reason::exhausted : Reason::none,
        .delay = {},
        .attempt = {},
        .last_error = {},
        .result = {}};
    scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&settlement, 1)));
  }
  std::vector<db::Sequel> sequels() {
    return db::sequels_from(scheduler_.exec(db::kSequels, db::sequels_params())).sequels;
  }
  // Sees to all sequels until there are none, as the scheduler does. Returns the callbacks made.
  std::vector<NewTask> follow() {
    std::vector<NewTask> made;
    for (;;) {
      const auto found = sequels();
      if (found.empty()) return made;
      std::vector<db::Callback> callbacks;
      for (const auto& sequel : found) {
        if (!sequel.ended || !has_callback(*sequel.ended)) continue;
        auto task = callback_of(*sequel.ended, new_task().spec.id);
        callbacks.push_back({sequel.id, task, lane_of(task)});
        made.push_back(task);
      }
      scheduler_.exec(db::kFollow, db::follow_params(Uuid{}, found, callbacks));
    }
  }
  std::optional<db::Woken> wake(const std::vector<db::Sequel>& sequels) {
    return db::woken_from(scheduler_.exec(db::kWake, db::wake_params(Uuid{}, sequels)));
  }
  // One turn of the scheduler.
  db::Woken wake() { return *wake(sequels()); }
  std::int64_t count(const char* what) {
    return scheduler_.exec({"", fmt::format("SELECT count(*) FROM postern.{}", what).c_str()})
        .integer(0, 0);
  }
  State state(const NewTask& task) { return read(api_, task.spec.id)->state; }

  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Sequels, ATaskWaitsForAllItDependsOn) {
  const auto one = new_task(), two = new_task();
  const auto child = depending({one.spec.id, two.spec.id});
  insert(api_, {one, two, child});
  follow();
  EXPECT_EQ(state(child), State::blocked);
  auto claimed = claim(scheduler_, 5);
  ASSERT_EQ(claimed.size(), 2U);
  settle(claimed[0], State::completed);
  follow();
  EXPECT_EQ(state(child), State::blocked);
  settle(claimed[1], State::completed);
  follow();
  EXPECT_EQ(state(child), State::ready);
}

TEST_F(Sequels, OneThatDependsOnWhatIsDoneGoesOnAtOnce) {
  const auto root = new_task();
  insert(api_, {root});
  settle(claim(scheduler_, 1).at(0), State::completed);
  const auto child = depending({root.spec.id});
  insert(api_, {child});
  follow();
  EXPECT_EQ(state(child), State::ready);
}

TEST_F(Sequels, AFailureMakesAllThatWaitForItUnreachableAndARetryBringsThemBack) {
  const auto root = new_task();
  const auto child = depending({root.spec.id});
  const auto grandchild = depending({child.spec.id});
  insert(api_, {root, child, grandchild});
  settle(claim(scheduler_, 1).at(0), State::failed);
  follow();
  for (const auto& task : {child, grandchild}) {
    const auto ended = read(api_, task.spec.id);
    EXPECT_EQ(ended->state, State::failed);
    EXPECT_EQ(ended->reason, Reason::unreachable);
  }
  EXPECT_EQ(db::retry_task(api_, "default", root.spec.id, Uuid{}).kind, db::Transition::Kind::done);
  follow();
  EXPECT_EQ(state(root), State::ready);
  EXPECT_EQ(state(child), State::blocked);
  EXPECT_EQ(state(grandchild), State::blocked);
  for (const auto& task : {root, child, grandchild}) {
    EXPECT_EQ(state(task), State::ready);
    settle(claim(scheduler_, 1).at(0), State::completed);
    follow();
    EXPECT_EQ(state(task), State::completed);
  }
}

TEST_F(Sequels, WhatIsNotThereIsNeverReached) {
  const auto child = depending({new_task().spec.id});
  insert(api_, {child});
  follow();
  EXPECT_EQ(read(api_, child.spec.id)->reason, Reason::unreachable);
}

TEST_F(Sequels, AnotherTenantsTaskIsNotThere) {
  database_.connect().script("INSERT INTO postern.tenant (name) VALUES ('other')");
  auto foreign = new_task();
  foreign.spec.tenant = "other";
  const auto child = depending({foreign.spec.id});
  insert(api_, {foreign, child});
  follow();
  EXPECT_EQ(read(api_, child.spec.id)->reason, Reason::unreachable);
  // And what becomes of it is not heard of.
  EXPECT_EQ(db::cancel_task(api_, "other", foreign.spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  EXPECT_EQ(db::retry_task(api_, "other", foreign.spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  EXPECT_EQ(state(child), State::failed);
}

TEST_F(Sequels, OfAKeyOneIsReadyAndTheNextFollowsInOrder) {
  const std::vector<NewTask> tasks{keyed("k"), keyed("k"), keyed("k"), keyed("other")};
  insert(api_, tasks);
  follow();
  EXPECT_EQ(state(tasks[0]), State::ready);
  EXPECT_EQ(state(tasks[1]), State::blocked);
  EXPECT_EQ(state(tasks[3]), State::ready);
  EXPECT_EQ(db::delete_task(api_, "default", tasks[0].spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  follow();
  EXPECT_EQ(state(tasks[1]), State::ready);
  EXPECT_EQ(state(tasks[2]), State::blocked);
  for (const auto& claimed : claim(scheduler_, 5)) settle(claimed, State::failed);
  follow();
  EXPECT_EQ(state(tasks[2]), State::ready);
}

TEST_F(Sequels, EachEndMakesItsCallbackOnce) {
  auto task = new_task();
  task.spec.on_complete_url = "http://receiver.test/done";
  insert(api_, {task});
  settle(claim(scheduler_, 1).at(0), State::completed);
  const auto found = sequels();
  ASSERT_EQ(found.size(), 1U);
  ASSERT_TRUE(found[0].ended);
  // Two schedulers see the same sequel; the second finds it taken and makes nothing.
  std::vector<NewTask> made;
  for (int i = 0; i < 2; ++i) {
    made.push_back(callback_of(*found[0].ended, new_task().spec.id));
    const db::Callback callback{found[0].id, made.back(), lane_of(made.back())};
    scheduler_.exec(db::kFollow, db::follow_params(Uuid{}, found, std::span(&callback, 1)));
  }
  EXPECT_EQ(state(made[0]), State::ready);
  EXPECT_FALSE(read(api_, made[1].spec.id));
  EXPECT_EQ(read(api_, made[0].spec.id)->spec.url, "http://receiver.test/done");
}

TEST_F(Sequels, AnEndThatWasOvertakenByAnotherTellsNobodyInItsPlace) {
  auto task = new_task();
  task.spec.on_failure_url = "http://receiver.test/failed";
  insert(api_, {task});
  settle(claim(scheduler_, 1).at(0), State::failed);
  EXPECT_EQ(db::retry_task(api_, "default", task.spec.id, Uuid{}).kind, db::Transition::Kind::done);
  settle(claim(scheduler_, 1).at(0), State::completed);
  EXPECT_TRUE(follow().empty());
}

// While a task is being ended, who waits for it is not forgotten, whichever of the two looked
// first.
TEST_F(Sequels, OneThatIsBeingEndedIsLookedAtAgain) {
  const auto root = new_task();
  insert(api_, {root});
  auto other = database_.connect();
  const auto child = depending({root.spec.id});
  {
    db::Transaction transaction(other);
    other.exec({"", "SELECT FROM postern.task WHERE id = $1 FOR UPDATE"},
               db::Params().uuid(root.spec.id));
    insert(api_, {child});
    const auto found = sequels();
    ASSERT_EQ(found.size(), 1U);
    scheduler_.exec(db::kFollow, db::follow_params(Uuid{}, found, {}));
    EXPECT_EQ(sequels().size(), 1U);
  }
  follow();
  EXPECT_EQ(state(child), State::blocked);
}

// Everybody's sequels are seen to by the same statement, one after the other.
TEST_F(Sequels, OneTaskWithManyDependentsHoldsUpNobodyElse) {
  constexpr int kDependents = 1'200;
  const auto crowded = new_task("crowded"), other = new_task("other");
  insert(api_, {crowded, other});
  const auto child = depending({other.spec.id});
  std::vector<NewTask> dependents(kDependents, depending({crowded.spec.id}));
  for (auto& task : dependents) task.spec.id = new_task().spec.id;
  insert(api_, dependents);
  insert(api_, {child});
  follow();
  settle(claim(scheduler_, 1, "crowded").at(0), State::completed);
  settle(claim(scheduler_, 1, "other").at(0), State::completed);
  std::int64_t blocked = kDependents + 1;
  for (int turn = 1; blocked > 0; ++turn) {
    ASSERT_LE(turn, 5);
    const auto woken = wake();
    const auto left = count("task WHERE state = 'blocked'");
    EXPECT_LT(blocked - left, 1'000);
    EXPECT_NE(woken.lanes, "");
    if (turn == 2) {
      EXPECT_EQ(state(child), State::ready);
    }
    blocked = left;
  }
  follow();
  EXPECT_EQ(count("task WHERE state = 'ready'"), kDependents + 1);
  EXPECT_EQ(count("dependency"), 0);
}

TEST_F(Sequels, WhatOneOfManyDependentsStillWaitsForIsNotForgotten) {
  const auto crowded = new_task("crowded"), other = new_task("other");
  insert(api_, {crowded, other});
  std::vector<NewTask> dependents(700, depending({crowded.spec.id, other.spec.id}));
  for (auto& task : dependents) task.spec.id = new_task().spec.id;
  insert(api_, dependents);
  follow();
  settle(claim(scheduler_, 1, "crowded").at(0), State::completed);
  follow();
  EXPECT_EQ(count("task WHERE state = 'blocked'"), 700);
  settle(claim(scheduler_, 1, "other").at(0), State::completed);
  follow();
  EXPECT_EQ(count("task WHERE state = 'ready'"), 700);
}

TEST_F(Sequels, TheNextOfALongKeyIsFoundWithoutReadingAllOfIt) {
  std::vector<NewTask> tasks(5'000, keyed("k"));
  for (auto& task : tasks) task.spec.id = new_task().spec.id;
  for (std::size_t i = 0; i < tasks.size(); i += 1'000) {
    insert(api_, {tasks.begin() + static_cast<std::ptrdiff_t>(i),
                  tasks.begin() + static_cast<std::ptrdiff_t>(i) + 1'000});
  }
  follow();
  EXPECT_EQ(count("task WHERE state = 'ready'"), 1);
  settle(claim(scheduler_, 1).at(0), State::completed);
  const auto blocks_read = [&] {
    return scheduler_
        .exec({"",
               "SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid))::bigint FROM pg_class c "
               "LEFT JOIN pg_index i ON i.indexrelid = c.oid "
               "WHERE 'postern.task'::regclass IN (c.oid, i.indrelid)"})
        .integer(0, 0);
  };
  db::Transaction transaction(scheduler_);
  const auto before = blocks_read();
  wake();
  EXPECT_LT(blocks_read() - before, 100);
  transaction.commit();
  EXPECT_EQ(state(tasks[1]), State::ready);
}

TEST_F(Sequels, WhileAnotherIsAtItNothingIsDone) {
  const auto child = depending({new_task().spec.id});
  insert(api_, {child});
  const auto found = sequels();
  auto other = database_.connect("postern_scheduler");
  {
    db::Transaction transaction(other);
    other.exec(db::kWake, db::wake_params(Uuid{}, {}));
    EXPECT_FALSE(wake(found));
    transaction.commit();
  }
  EXPECT_EQ(sequels().size(), 1U);
  follow();
  EXPECT_EQ(state(child), State::failed);
}

TEST_F(Sequels, OneWithManyDependentsIsRetriedAtOnceAndTheyComeBackInSteps) {
  constexpr int kDependents = 1'200;
  const auto root = new_task();
  std::vector<NewTask> dependents(kDependents, depending({root.spec.id}));
  for (auto& task : dependents) task.spec.id = new_task().spec.id;
  insert(api_, {root});
  insert(api_, dependents);
  settle(claim(scheduler_, 1).at(0), State::failed);
  follow();
  EXPECT_EQ(count("task_finished WHERE reason = 'unreachable'"), kDependents);
  EXPECT_EQ(db::retry_task(api_, "default", root.spec.id, Uuid{}).kind, db::Transition::Kind::done);
  EXPECT_EQ(count("task"), 1);
  std::int64_t back = 1;
  for (int turn = 1; back <= kDependents; ++turn) {
    ASSERT_LE(turn, 10);
    wake();
    const auto now = count("task");
    EXPECT_LE(now - back, 501);
    back = now;
  }
  settle(claim(scheduler_, 1).at(0), State::completed);
  follow();
  EXPECT_EQ(count("task WHERE state = 'ready'"), kDependents);
}

TEST_F(Sequels, OneThatWaitsForAnotherBrokenOneStaysUnreachableUntilThatIsRetriedToo) {
  const auto one = new_task(), two = new_task();
  const auto child = depending({one.spec.id, two.spec.id});
  insert(api_, {one, two, child});
  for (const auto& claimed : claim(scheduler_, 2)) settle(claimed, State::failed);
  follow();
  const auto retry = [&](const NewTask& task) {
    EXPECT_EQ(db::retry_task(api_, "default", task.spec.id, Uuid{}).kind,
              db::Transition::Kind::done);
  };
  retry(one);
  follow();
  EXPECT_EQ(state(child), State::failed);
  settle(claim(scheduler_, 1).at(0), State::completed);
  follow();
  EXPECT_EQ(state(child), State::failed);
  retry(two);
  follow();
  EXPECT_EQ(state(child), State::blocked);
}

}  // namespace
}  // namespace postern::test
