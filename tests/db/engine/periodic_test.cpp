// Tasks that begin again so long after they were completed: TaskMQ's periodic jobs.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "db/engine/claim.h"
#include "db/engine/settle.h"
#include "db/tasks/changes.h"
#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

constexpr Seconds kInterval{3600};

class Periodic : public ::testing::Test {
 protected:
  NewTask add() {
    auto task = new_task();
    task.spec.dialect = Dialect::taskmq;
    task.spec.job_id = db::next_job_ids(api_, 1).front();
    task.spec.max_attempts = 3;
    task.spec.repeat = kInterval;
    insert(api_, {task});
    return task;
  }
  db::Claimed begin() { return claim(scheduler_, 1).at(0); }
  void settle(const db::Claimed& claimed, State state, Reason reason = Reason::none) {
    auto end = db::settlement(claimed, state, reason);
    const bool good = state == State::completed;
    if (!good) end.last_error = "HTTP 500";
    end.attempt = Attempt{
        claimed.attempt, good ? "success" : "failed", 200, "", claimed.claimed_at, Milliseconds{3},
        "answer"};
    if (is_finished(state)) end.result = Answer{200, {}, "answer", Milliseconds{3}};
    scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&end, 1)));
  }
  void defer(const db::Claimed& claimed) {
    const db::Settlement later{.id = claimed.spec.id,
                               .lease = claimed.lease,
                               .state = State::active,
                               .delay = Seconds{60}};
    scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&later, 1)));
  }
  void make_due() {
    owner_.script("UPDATE postern.task SET state = 'ready', run_at = now() - interval '1 second'");
  }
  db::Transition::Kind tell_completed(const db::Claimed& claimed) {
    db::Told told{.state = State::completed};
    told.attempt =
        Attempt{claimed.attempt, "success", 202, "", claimed.claimed_at, Milliseconds{3}, "answer"};
    told.result = Answer{202, {}, "answer", Milliseconds{3}};
    return db::settle_deferred(api_, "default", claimed.spec.id, claimed.lease, Uuid{}, told).kind;
  }
  // It waits for its next turn, an interval from now, as if it had never run.
  void expect_waiting(const TaskId& id, int attempts) {
    const auto task = read(api_, id);
    ASSERT_TRUE(task);
    EXPECT_EQ(task->state, State::delayed);
    EXPECT_EQ(task->attempt, attempts);
    EXPECT_EQ(task->attempt_base, attempts);
    EXPECT_EQ(task->last_error, "");
    EXPECT_FALSE(task->finished_at);
    const auto records = boost::json::parse(task->attempts).as_array();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].at("number"), attempts);
    EXPECT_EQ(scalar("SELECT count(*) FROM postern.task WHERE lease IS NULL AND run_at BETWEEN "
                     "now() + interval '3590 seconds' AND now() + interval '3600 seconds'"),
              1);
  }
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }
  std::int64_t depth() { return scalar("SELECT postern.queue_depth('default', 'q')"); }

  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  db::PgConnection owner_ = database_.connect();
};

TEST_F(Periodic, BeginsAgainAnIntervalAfterItWasCompleted) {
  const auto task = add();
  for (int turn = 1; turn <= 3; ++turn) {
    settle(begin(), State::completed);
    expect_waiting(task.spec.id, turn);
    make_due();
  }
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_finished"), 0);
  EXPECT_EQ(begin().spec.job_id, task.spec.job_id);
}

TEST_F(Periodic, EachTurnIsCountedAsATaskThatCompletedAndWasRetried) {
  add();
  for (int turn = 1; turn <= 2; ++turn) {
    settle(begin(), State::completed);
    EXPECT_EQ(counter(owner_, "finished_completed"), turn);
    EXPECT_EQ(counter(owner_, "retried"), turn);
    EXPECT_EQ(counter(owner_, "attempts_success"), turn);
    EXPECT_EQ(depth(), 1);
    EXPECT_EQ(db::totals(api_, "default").tasks, 1);
    make_due();
  }
}

TEST_F(Periodic, EachTurnHasAWholeBudget) {
  const auto task = add();
  for (int turn = 0; turn < 2; ++turn) {
    for (int failure = 1; failure <= 2; ++failure) {
      const auto claimed = begin();
      EXPECT_EQ(claimed.attempt - claimed.attempt_base, failure);
      settle(claimed, State::delayed);
      EXPECT_EQ(read(api_, task.spec.id)->last_error, "HTTP 500");
      make_due();
    }
    settle(begin(), State::completed);
    expect_waiting(task.spec.id, 3 * (turn + 1));
    make_due();
  }
}

TEST_F(Periodic, AFailureForGoodIsTheEndUntilItIsRetried) {
  const auto task = add();
  settle(begin(), State::failed, Reason::exhausted);
  EXPECT_EQ(read(api_, task.spec.id)->state, State::failed);
  EXPECT_EQ(read(api_, task.spec.id)->spec.repeat, kInterval);
  EXPECT_EQ(depth(), 0);
  EXPECT_EQ(counter(owner_, "retried"), 0);

  ASSERT_EQ(db::retry_task(api_, "default", task.spec.id, Uuid{}).kind, db::Transition::Kind::done);
  const auto claimed = begin();
  EXPECT_EQ(claimed.spec.repeat, kInterval);
  EXPECT_EQ(claimed.spec.job_id, task.spec.job_id);
  settle(claimed, State::completed);
  expect_waiting(task.spec.id, 2);
}

TEST_F(Periodic, ACancellationIsTheEnd) {
  const auto task = add();
  settle(begin(), State::completed);
  ASSERT_EQ(db::cancel_task(api_, "default", task.spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  EXPECT_EQ(read(api_, task.spec.id)->state, State::cancelled);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task"), 0);
  EXPECT_EQ(depth(), 0);
}

TEST_F(Periodic, BeginsAgainWhenItsReceiverTellsTheEndLater) {
  const auto task = add();
  for (int turn = 1; turn <= 2; ++turn) {
    const auto claimed = begin();
    defer(claimed);
    EXPECT_EQ(tell_completed(claimed), db::Transition::Kind::done);
    expect_waiting(task.spec.id, turn);
    EXPECT_EQ(counter(owner_, "finished_completed"), turn);
    EXPECT_EQ(counter(owner_, "retried"), turn);
    EXPECT_EQ(depth(), 1);
    // What was told once is told.
    EXPECT_NE(tell_completed(claimed), db::Transition::Kind::done);
    make_due();
  }
}

}  // namespace
}  // namespace postern::test
