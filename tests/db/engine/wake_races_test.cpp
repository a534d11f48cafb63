// Who waits, looked for while something else is under way on another connection: whatever the order
// of the commits, nobody is left waiting.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "db/engine/sequels.h"
#include "db/engine/settle.h"
#include "db/tasks/bulk.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class WakeRaces : public ::testing::Test {
 protected:
  static NewTask depending(const NewTask& on) {
    auto task = new_task();
    task.spec.dependencies = {on.spec.id};
    return task;
  }
  static NewTask keyed() {
    auto task = new_task();
    task.spec.key = "k";
    return task;
  }
  void settle(State state) { settle(claim(scheduler_, 1).at(0), state); }
  void settle(const db::Claimed& claimed, State state) {
    const db::Settlement end{.id = claimed.spec.id, .lease = claimed.lease, .state = state};
    scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&end, 1)));
  }
  static void follow(db::PgConnection& connection) {
    connection.exec(db::kFollow, db::follow_params(Uuid{}, sequels(connection), {}));
  }
  static std::vector<db::Sequel> sequels(db::PgConnection& connection) {
    return db::sequels_from(connection.exec(db::kSequels, db::sequels_params())).sequels;
  }
  void follow_all() {
    while (!sequels(scheduler_).empty()) follow(scheduler_);
  }
  State state(const NewTask& task) { return read(api_, task.spec.id)->state; }
  // Until so many connections wait for a lock, or none of these is under way any more.
  template <class... Futures>
  void until_waiting(int count, Futures&... futures) {
    auto watch = database_.connect();
    const db::Statement waits{"", "SELECT count(*) FROM pg_locks WHERE NOT granted"};
    const auto under_way = [](auto& each) {
      return each.wait_for(std::chrono::milliseconds(5)) == std::future_status::timeout;
    };
    while ((under_way(futures) || ...) && watch.exec(waits).integer(0, 0) < count) {
    }
  }

  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  db::PgConnection other_ = database_.connect();
};

TEST_F(WakeRaces, AChildIsMadeWhileWhatItDependsOnEnds) {
  const auto root = new_task();
  insert(api_, {root});
  const auto child = depending(root);
  db::Transaction making(other_);
  insert(other_, {child});
  settle(State::completed);
  follow_all();
  making.commit();
  follow_all();
  EXPECT_EQ(state(child), State::ready);
}

TEST_F(WakeRaces, WhatItDependsOnEndsWhileTheChildIsLookedAt) {
  const auto root = new_task();
  insert(api_, {root});
  const auto child = depending(root);
  insert(api_, {child});
  {
    std::jthread settling;  // waits for the look to be over
    db::Transaction looking(other_);
    follow(other_);
    settling = std::jthread([&] { settle(State::completed); });
    looking.commit();
  }
  follow_all();
  EXPECT_EQ(state(child), State::ready);
}

TEST_F(WakeRaces, TheNextOfAKeyIsMadeWhileTheHeadGoes) {
  const auto head = keyed(), next = keyed();
  insert(api_, {head});
  follow_all();
  db::Transaction making(other_);
  insert(other_, {next});
  EXPECT_EQ(db::cancel_task(api_, "default", head.spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  follow_all();
  making.commit();
  follow_all();
  EXPECT_EQ(state(next), State::ready);
}

TEST_F(WakeRaces, AnEarlierOneOfAKeyThatIsCommittedLateWaitsForTheLater) {
  const auto early = keyed(), late = keyed();
  db::Transaction making(other_);
  const db::Insertion row{&early, lane_of(early)};
  db::insert_tasks(other_, random_uuid(), std::span(&row, 1));  // of another handler
  insert(api_, {late});
  follow_all();
  EXPECT_EQ(state(late), State::ready);
  making.commit();
  follow_all();
  EXPECT_EQ(state(early), State::blocked);
  settle(State::completed);
  follow_all();
  EXPECT_EQ(state(early), State::ready);
}

TEST_F(WakeRaces, WhatItDependsOnIsRetriedWhileTheChildIsGivenUp) {
  const auto root = new_task();
  insert(api_, {root});
  const auto child = depending(root);
  insert(api_, {child});
  follow_all();
  settle(State::failed);
  std::future<db::Transition> retried;
  {
    db::Transaction looking(other_);
    follow(other_);  // it finds that the child cannot be reached
    retried = std::async(std::launch::async,
                         [&] { return db::retry_task(api_, "default", root.spec.id, Uuid{}); });
    until_waiting(1, retried);  // for the look, or is through without it
    looking.commit();
  }
  EXPECT_EQ(retried.get().kind, db::Transition::Kind::done);
  follow_all();
  EXPECT_EQ(state(root), State::ready);
  EXPECT_EQ(state(child), State::blocked);
  settle(State::completed);
  follow_all();
  EXPECT_EQ(state(child), State::ready);
}

TEST_F(WakeRaces, AChildIsMadeWhileWhatItDependsOnIsRetried) {
  const auto root = new_task();
  insert(api_, {root});
  settle(State::failed);
  const auto child = depending(root);
  db::Transaction retrying(other_);
  EXPECT_EQ(db::retry_task(other_, "default", root.spec.id, Uuid{}).kind,
            db::Transition::Kind::done);
  insert(api_, {child});
  follow(scheduler_);
  EXPECT_EQ(state(child), State::blocked);
  retrying.commit();
  follow_all();
  EXPECT_EQ(state(child), State::blocked);
  settle(State::completed);
  follow_all();
  EXPECT_EQ(state(child), State::ready);
}

TEST_F(WakeRaces, OneIsBroughtBackWhileSomebodyHoldsIt) {
  const auto root = new_task();
  insert(api_, {root});
  const auto child = depending(root);
  insert(api_, {child});
  settle(State::failed);
  follow_all();
  {
    db::Transaction holding(other_);
    other_.exec({"", "SELECT FROM postern.task_finished WHERE id = $1 FOR UPDATE"},
                db::Params().uuid(child.spec.id));
    EXPECT_EQ(db::retry_task(api_, "default", root.spec.id, Uuid{}).kind,
              db::Transition::Kind::done);
    follow(scheduler_);  // does not wait
    EXPECT_EQ(state(child), State::failed);
  }
  follow_all();
  EXPECT_EQ(state(child), State::blocked);
}

// Of any number of requests none keeps the chains of others from going on, nor waits for them.
TEST_F(WakeRaces, ARetryAndALookDoNotWaitForEachOther) {
  const auto root = new_task(), other_root = new_task("other");
  insert(api_, {root, other_root});
  const auto child = depending(root), other_child = depending(other_root);
  insert(api_, {child, other_child});
  settle(claim(scheduler_, 1).at(0), State::failed);
  follow_all();
  settle(claim(scheduler_, 1, "other").at(0), State::completed);
  api_.script("SET lock_timeout = '5s'");
  {
    db::Transaction retrying(api_);
    const std::vector ids{root.spec.id, new_task().spec.id};
    const auto done =
        db::transit_each(api_, db::BulkVerb::retry, "default", ids, Uuid{}, std::nullopt);
    EXPECT_EQ(done.at(0).kind, db::Transition::Kind::done);
    EXPECT_EQ(done.at(1).kind, db::Transition::Kind::missing);
    follow(scheduler_);
    EXPECT_EQ(state(other_child), State::ready);
    retrying.commit();
  }
  settle(claim(scheduler_, 1).at(0), State::failed);
  follow_all();
  {
    db::Transaction looking(other_);
    other_.exec(db::kWake, db::wake_params(Uuid{}, {}));
    EXPECT_EQ(db::retry_task(api_, "default", root.spec.id, Uuid{}).kind,
              db::Transition::Kind::done);
    EXPECT_EQ(db::retry_task(api_, "default", new_task().spec.id, Uuid{}).kind,
              db::Transition::Kind::missing);
  }
  follow_all();
  EXPECT_EQ(state(child), State::blocked);
}

// Each changes the counters of both queues, in opposite orders.
TEST_F(WakeRaces, TwoRetriesWhoseDependentsAreInEachOthersQueues) {
  const auto one = new_task("a"), two = new_task("b");
  auto after_one = new_task("b"), after_two = new_task("a");
  after_one.spec.dependencies = {one.spec.id};
  after_two.spec.dependencies = {two.spec.id};
  insert(api_, {one, two, after_one, after_two});
  for (const auto& claimed : {claim(scheduler_, 1, "a").at(0), claim(scheduler_, 1, "b").at(0)}) {
    settle(claimed, State::failed);
  }
  follow_all();
  auto another = database_.connect("postern_api");
  const auto retry = [](db::PgConnection& connection, const NewTask& task) {
    return std::async(std::launch::async, [&connection, id = task.spec.id] {
      return db::retry_task(connection, "default", id, Uuid{});
    });
  };
  auto first = retry(api_, one), second = retry(another, two);
  EXPECT_EQ(first.get().kind, db::Transition::Kind::done);
  EXPECT_EQ(second.get().kind, db::Transition::Kind::done);
  follow_all();
  EXPECT_EQ(state(after_one), State::blocked);
  EXPECT_EQ(state(after_two), State::blocked);
}

// Both count in the same row, which whoever takes many tasks must not have before all of these.
TEST_F(WakeRaces, ManyTasksAreChangedWhileOneOfThemIs) {
  for (const bool retry : {false, true}) {
    const auto one = new_task(), two = new_task();
    insert(api_, {one, two});
    if (retry) {
      for (const auto& claimed : claim(scheduler_, 2)) settle(claimed, State::failed);
    }
    db::Transaction changing(other_);
    other_.script("SELECT FROM postern.task WHERE id = '" + to_uuid(two.spec.id) + "' FOR UPDATE");
    other_.script("SELECT FROM postern.task_finished WHERE id = '" + to_uuid(two.spec.id) +
                  "' FOR UPDATE");
    auto many = std::async(std::launch::async, [&] {
      const std::vector ids{one.spec.id, two.spec.id};
      return db::transit_each(api_, retry ? db::BulkVerb::retry : db::BulkVerb::cancel, "default",
                              ids, Uuid{});
    });
    until_waiting(1, many);
    const auto done = retry ? db::retry_task(other_, "default", two.spec.id, Uuid{})
                            : db::cancel_task(other_, "default", two.spec.id, Uuid{});
    EXPECT_EQ(done.kind, db::Transition::Kind::done) << retry;
    changing.commit();
    const auto all = many.get();
    EXPECT_EQ(all.at(0).kind, db::Transition::Kind::done) << retry;
    EXPECT_EQ(all.at(1).kind, db::Transition::Kind::wrong_state) << retry;
  }
}

// The last of a chain has the smallest id, so that who locks both in their order has it first and
// wants the other one. Nobody may hold that one and wait.
TEST_F(WakeRaces, AChainIsGivenUpWhileSomebodyHoldsItsEnd) {
  auto end = new_task();
  const auto root = new_task();
  const auto child = depending(root);
  end.spec.dependencies = {child.spec.id};
  insert(api_, {root, child, end});
  follow_all();
  settle(State::failed);
  {
    db::Transaction cancelling(other_);
    other_.exec({"", "SELECT FROM postern.task WHERE id = $1 FOR UPDATE"},
                db::Params().uuid(end.spec.id));
    follow(scheduler_);
    other_.exec({"", "SELECT FROM postern.task WHERE id = $1 FOR UPDATE"},
                db::Params().uuid(child.spec.id));
    cancelling.commit();
  }
  EXPECT_EQ(state(child), State::failed);
  follow_all();
  EXPECT_EQ(state(end), State::failed);
}

}  // namespace
}  // namespace postern::test
