// Who waits, looked for while something else is under way on another connection: whatever the order
// of the commits, nobody is left waiting.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "db/sequels.h"
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
  void settle(State state) {
    const auto claimed = claim(scheduler_, 1).at(0);
    const db::Settlement end{.id = claimed.spec.id, .lease = claimed.lease, .state = state};
    scheduler_.exec(db::kSettle, db::settle_params(0, Uuid{}, std::span(&end, 1)));
  }
  static void follow(db::PgConnection& connection) {
    const auto sequels = db::sequels_from(connection.exec(db::kSequels));
    connection.exec(db::kFollow, db::follow_params(0, Uuid{}, sequels, {}));
  }
  void follow_all() {
    while (!db::sequels_from(scheduler_.exec(db::kSequels)).empty()) follow(scheduler_);
  }
  State state(const NewTask& task) { return read(api_, task.spec.id)->state; }

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
  db::insert_tasks(other_, 0, random_uuid(), std::span(&row, 1));  // of another handler
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
    // Until the retry waits for the look, or is through without it.
    auto watch = database_.connect();
    const db::Statement waits{"", "SELECT count(*) FROM pg_locks WHERE NOT granted"};
    while (retried.wait_for(std::chrono::milliseconds(5)) == std::future_status::timeout &&
           watch.exec(waits).integer(0, 0) == 0) {
    }
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

}  // namespace
}  // namespace postern::test
