// What is judged when tasks of the SQL door are routed: room in their queues, and their tenants'
// quota.
#include "db/engine/routing.h"

#include <set>

#include "db/engine/sequels.h"
#include "tests/db/tasks/enqueue.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class RoutingRooms : public Enqueue {
 protected:
  void bound(int max_entries, bool discard_old = false, const std::string& queue = "q") {
    owner_.exec({"",
                 "INSERT INTO postern.queue (tenant, name, max_entries, discard_old) "
                 "VALUES ('default', $1, $2, $3)"},
                db::Params().text(queue).int8(max_entries).boolean(discard_old));
  }
  std::vector<TaskId> enqueue_some(int count, const std::string& queue = "q") {
    std::vector<TaskId> out;
    for (int i = 0; i < count; ++i) {
      out.push_back(enqueue(("'" + queue + "', 'http://receiver.test/'").c_str()));
    }
    return out;
  }
  static db::Routing routing(const Task& task) {
    db::Routing out;
    out.id = task.spec.id;
    out.lane = lane_id("default", task.spec.queue, "receiver.test");
    out.url = task.spec.url;
    out.tenant = task.spec.tenant;
    out.queue = task.spec.queue;
    return out;
  }
  db::Routed route(int quota_waiting = 0) {
    std::vector<db::Routing> batch;
    for (const auto& task : unrouted()) batch.push_back(routing(task));
    return db::routed_from(
        scheduler_.exec(db::kRoute, db::route_params(random_uuid(), batch, quota_waiting)));
  }
  // Their ends, in their order: a letter each.
  std::string ends(const std::vector<TaskId>& ids) {
    std::string out;
    for (const auto& id : ids) {
      const auto task = *read(owner_, id);
      out += !is_finished(task.state)                ? '+'
             : task.reason == Reason::queue_full     ? 'f'
             : task.reason == Reason::discarded      ? 'd'
             : task.reason == Reason::quota_exceeded ? 'q'
                                                     : '?';
    }
    return out;
  }
  std::int64_t depth(const std::string& queue = "q") {
    return owner_.exec({"", "SELECT postern.queue_depth('default', $1)"}, db::Params().text(queue))
        .integer(0, 0);
  }
};

TEST_F(RoutingRooms, WhatFindsNoneFails) {
  bound(3);
  insert(owner_, {new_task("q")});
  const auto ids = enqueue_some(5);
  EXPECT_EQ(depth(), 1);
  const auto [routed, ended] = route();
  EXPECT_EQ(routed, 2);
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(ends(ids), "++fff");
  const auto last = *read(owner_, ids.back());
  EXPECT_EQ(last.state, State::failed);
  EXPECT_NE(last.last_error, "");
  EXPECT_EQ(depth(), 3);
  EXPECT_EQ(counter(owner_, "created"), 6);
  EXPECT_EQ(counter(owner_, "finished_failed"), 3);
  EXPECT_EQ(claim(scheduler_, 10).size(), 3U);
}

TEST_F(RoutingRooms, OneThatIsRetriedIsJudgedAgain) {
  bound(1);
  const auto ids = enqueue_some(2);
  route();
  ASSERT_EQ(ends(ids), "+f");
  const auto retry = [&] {
    return db::retry_task(owner_, "default", ids[1], Uuid{}).kind == db::Transition::Kind::done;
  };
  ASSERT_TRUE(retry());
  EXPECT_EQ(route().ended, 1);
  EXPECT_EQ(ends(ids), "+f");
  ASSERT_TRUE(retry());
  ASSERT_EQ(db::cancel_task(owner_, "default", ids[0], Uuid{}).kind, db::Transition::Kind::done);
  EXPECT_EQ(route().routed, 1);
  EXPECT_EQ(ends({ids[1]}), "+");
  EXPECT_EQ(depth(), 1);
}

TEST_F(RoutingRooms, TheOldestAreDiscardedWhereTheQueueSaysSo) {
  bound(3, true);
  const auto before = new_task("q");
  insert(owner_, {before});
  const auto ids = enqueue_some(5);
  EXPECT_EQ(route().routed, 3);
  EXPECT_EQ(ends({before.spec.id}), "d");
  EXPECT_EQ(ends(ids), "dd+++");
  EXPECT_EQ(read(owner_, ids[0])->state, State::cancelled);
  EXPECT_EQ(depth(), 3);
  EXPECT_EQ(counter(owner_, "finished_cancelled"), 3);
  const auto more = enqueue_some(2);
  EXPECT_EQ(route().routed, 2);
  EXPECT_EQ(ends(ids), "dddd+");
  EXPECT_EQ(depth(), 3);
}

TEST_F(RoutingRooms, WhatIsBeingDeliveredIsNotDiscarded) {
  bound(2, true);
  insert(owner_, {new_task("q"), new_task("q")});
  ASSERT_EQ(claim(scheduler_, 2).size(), 2U);
  const auto ids = enqueue_some(2);
  EXPECT_EQ(route().routed, 0);
  EXPECT_EQ(ends(ids), "ff");
}

// It is not in the queue yet, and not counted.
TEST_F(RoutingRooms, WhatIsNotRoutedIsNotDiscarded) {
  bound(2, true);
  const auto ids = enqueue_some(1);
  insert(owner_, {new_task("q"), new_task("q")});
  EXPECT_EQ(owner_.exec({"", "SELECT postern.make_room('default', 'q', 1, gen_random_uuid())"})
                .integer(0, 0),
            1);
  EXPECT_EQ(ends(ids), "+");
  EXPECT_EQ(depth(), 1);
}

TEST_F(RoutingRooms, EachQueueHasItsOwn) {
  bound(1, false, "a");
  bound(1, true, "b");
  const auto a = enqueue_some(2, "a"), b = enqueue_some(2, "b"), c = enqueue_some(2, "c");
  const auto [routed, ended] = route();
  EXPECT_EQ(routed, 4);
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(ends(a) + ends(b) + ends(c), "+fd+++");
}

TEST_F(RoutingRooms, DependentsAndCallbacksFollow) {
  bound(1);
  const auto ids = enqueue_some(2);
  owner_.exec({"", "UPDATE postern.task SET on_failure_url = 'http://failed.test/' WHERE id = $1"},
              db::Params().uuid(ids[1]));
  auto dependent = new_task("other");
  dependent.spec.dependencies = {ids[1]};
  insert(owner_, {dependent});
  owner_.script("DELETE FROM postern.sequel");
  EXPECT_EQ(route().ended, 1);
  const auto sequel = owner_.exec({"", "SELECT id, task, callback FROM postern.sequel"});
  ASSERT_EQ(sequel.rows(), 1);
  EXPECT_EQ(sequel.uuid(0, 1), ids[1]);
  EXPECT_TRUE(sequel.boolean(0, 2));
  scheduler_.exec({"", "SELECT postern.wake(gen_random_uuid(), ARRAY[$1::bigint], 10)"},
                  db::Params().int8(sequel.integer(0, 0)));
  EXPECT_EQ(read(owner_, dependent.spec.id)->reason, Reason::unreachable);
}

TEST_F(RoutingRooms, WhatCoreRefusesIsFollowedToo) {
  const auto ids = enqueue_some(1);
  auto dependent = new_task("other");
  dependent.spec.dependencies = {ids[0]};
  insert(owner_, {dependent});
  owner_.script("DELETE FROM postern.sequel");
  auto refused = routing(unrouted().at(0));
  refused.invalid = "why";
  scheduler_.exec(db::kRoute, db::route_params(random_uuid(), {&refused, 1}));
  EXPECT_EQ(read(owner_, ids[0])->reason, Reason::invalid);
  EXPECT_EQ(owner_.exec({"", "SELECT FROM postern.sequel"}).rows(), 1);
}

TEST_F(RoutingRooms, AQuotaIsAskedByWhatWasMeasured) {
  const auto waiting = [&](int tasks) {
    owner_.exec({"",
                 "INSERT INTO postern.tenant_gauge VALUES ('default', $1, 1) ON CONFLICT (tenant) "
                 "DO UPDATE SET waiting = excluded.waiting"},
                db::Params().int4(tasks));
  };
  waiting(10);
  const auto first = enqueue_some(2);
  EXPECT_EQ(route(11).routed, 2);
  const auto second = enqueue_some(2);
  EXPECT_EQ(route(10).ended, 2);
  EXPECT_EQ(ends(first) + ends(second), "++qq");
  EXPECT_EQ(depth(), 2);
  const auto third = enqueue_some(1);
  EXPECT_EQ(route(0).routed, 1) << "0: any number may wait";
}

// However many one has, and more tenants than have a share of one step.
TEST_F(RoutingRooms, TenantsTakeTurns) {
  owner_.script(
      "INSERT INTO postern.tenant SELECT 't' || n FROM generate_series(10, 34) n;"
      "INSERT INTO postern.task (id, tenant, queue, url, state) "
      "SELECT postern.new_task_id(), 'default', 'q', 'http://h.test/', 'ready' "
      "FROM generate_series(1, 1500);"
      "INSERT INTO postern.task (id, tenant, queue, url, state) "
      "SELECT postern.new_task_id(), 't' || t, 'q', 'http://h.test/', 'ready' "
      "FROM generate_series(1, 3), generate_series(10, 34) t");
  std::string behind;
  std::set<std::string> seen;
  for (int step = 0; step < 2; ++step) {
    std::vector<db::Routing> batch;
    const auto tasks =
        db::unrouted_from(scheduler_.exec(db::kUnrouted, db::unrouted_params(behind)));
    EXPECT_LE(tasks.size(), 500U);
    for (const auto& task : tasks) {
      batch.push_back(routing(task));
      seen.insert(task.spec.tenant);
    }
    behind = tasks.back().spec.tenant;
    scheduler_.exec(db::kRoute, db::route_params(random_uuid(), batch));
  }
  EXPECT_EQ(seen.size(), 26U);
  EXPECT_EQ(owner_
                .exec({"",
                       "SELECT count(*) FROM postern.task WHERE lane IS NULL "
                       "AND tenant <> 'default'"})
                .integer(0, 0),
            0);
}

// An enqueue waits for nobody who makes room, nor for who has changed the queue; nor does the
// routing of other queues.
TEST_F(RoutingRooms, NobodyWaitsForAQueueWithoutABound) {
  bound(1);
  owner_.script("INSERT INTO postern.queue (tenant, name) VALUES ('default', 'free')");
  app_->script("SET lock_timeout = '5 s'");
  scheduler_.script("SET lock_timeout = '5 s'");
  db::Transaction holds(owner_);
  owner_.script("SELECT FROM postern.queue FOR UPDATE");
  const auto free = enqueue_some(1, "free");
  EXPECT_EQ(route().routed, 1);
  const auto bounded = enqueue_some(1);
  EXPECT_THROW(route(), db::PgError) << "where there is a bound, its room is made by one at a time";
}

}  // namespace
}  // namespace postern::test
