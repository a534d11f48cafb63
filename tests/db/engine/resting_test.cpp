// What schedulers leave alone: everything of a tenant that arrives, leaves or has left.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "db/catalog/placement.h"
#include "db/engine/garbage.h"
#include "db/engine/occurrences.h"
#include "db/engine/orphans.h"
#include "db/engine/routing.h"
#include "db/engine/sequels.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Resting : public ::testing::Test {
 protected:
  Resting() {
    owner_.script("INSERT INTO postern.tenant (name) VALUES ('away'), ('beside')");
    state("draining");
  }
  void state(const std::string& word) {
    owner_.script("UPDATE postern.tenant SET state = '" + word +
                  "', moved_to = 'b', moved_url = 'https://b.test', moved_at = now() "
                  "WHERE name = 'away'");
    // Its rows are there until the move is over.
    if (word == "moved") {
      owner_.script(
          "INSERT INTO postern.move (tenant, id, source, other, step) "
          "VALUES ('away', gen_random_uuid(), true, 'b', 'deleting')");
    } else {
      owner_.script("DELETE FROM postern.move");
    }
  }
  static NewTask task_of(const std::string& tenant) {
    auto task = new_task();
    task.spec.tenant = tenant;
    return task;
  }
  std::size_t claimed(const NewTask& task) {
    const auto lease = random_uuid();
    const std::vector<db::LaneSlots> lanes{{lane_of(task), 10}};
    answer_ = db::claimed_from(
        scheduler_.exec(db::kClaim, db::claim_params(lanes, lease, Uuid{}, Seconds{30})), lease,
        Seconds{30});
    return answer_.tasks.size();
  }
  std::int64_t count(const std::string& rows) {
    return owner_.exec({"", ("SELECT count(*) FROM postern." + rows).c_str()}).integer(0, 0);
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  db::ClaimAnswer answer_;
};

TEST_F(Resting, IsNotClaimedInAnyStateButHere) {
  const auto away = task_of("away"), beside = task_of("beside");
  insert(api_, {away, beside});
  for (const auto* word : {"arriving", "draining", "fenced", "moved"}) {
    state(word);
    EXPECT_EQ(claimed(away), 0U) << word;
    // Its lane waits, as that of a paused queue does.
    ASSERT_EQ(answer_.held.size(), 1U);
    EXPECT_EQ(answer_.held[0].wait, Milliseconds{1000});
  }
  EXPECT_EQ(claimed(beside), 1U);
  state("here");
  EXPECT_EQ(claimed(away), 1U);
}

TEST_F(Resting, ItsSequelsStayAndHideNobodys) {
  // More tenants than a step sees to rest before the one that is here.
  for (int i = 0; i < 25; ++i) {
    owner_.script(
        fmt::format("INSERT INTO postern.tenant (name, state) VALUES ('a{0:02}', 'arriving');"
                    "INSERT INTO postern.sequel (task, tenant, queue) "
                    "VALUES (gen_random_uuid(), 'a{0:02}', 'q')",
                    i));
  }
  owner_.script(
      "INSERT INTO postern.sequel (task, tenant, queue) VALUES (gen_random_uuid(), 'beside', 'q')");
  const auto found = db::sequels_from(scheduler_.exec(db::kSequels, db::sequels_params()));
  ASSERT_EQ(found.sequels.size(), 1U);
  EXPECT_EQ(found.tenant, "beside");
  // One that was listed before its tenant rested.
  auto listed = found.sequels;
  listed.push_back(listed[0]);
  listed.back().id = owner_.exec({"", "SELECT min(id) FROM postern.sequel"}).integer(0, 0);
  scheduler_.exec(db::kWake, db::wake_params(Uuid{}, listed));
  EXPECT_EQ(count("sequel"), 25);
}

TEST_F(Resting, IsNotRouted) {
  for (const auto* tenant : {"away", "beside"}) {
    owner_.script(
        fmt::format("INSERT INTO postern.task (id, state, tenant, queue, url) VALUES "
                    "(postern.new_task_id(), 'ready', '{}', 'q', 'http://receiver.test/')",
                    tenant));
  }
  const auto unrouted =
      db::unrouted_from(scheduler_.exec(db::kUnrouted, db::unrouted_params("", 100)));
  ASSERT_EQ(unrouted.size(), 1U);
  EXPECT_EQ(unrouted[0].spec.tenant, "beside");
  // Nor is one that was read before.
  state("here");
  std::vector<db::Routing> batch;
  for (const auto& task :
       db::unrouted_from(scheduler_.exec(db::kUnrouted, db::unrouted_params("", 100)))) {
    db::Routing routing;
    routing.id = task.spec.id;
    routing.tenant = task.spec.tenant;
    routing.queue = task.spec.queue;
    routing.url = task.spec.url;
    routing.lane = 1;
    batch.push_back(routing);
  }
  ASSERT_EQ(batch.size(), 2U);
  state("fenced");
  scheduler_.exec(db::kRoute, db::route_params(Uuid{}, batch, 0));
  EXPECT_EQ(count("task WHERE lane IS NULL AND tenant = 'away'"), 1);
  EXPECT_EQ(count("task WHERE lane IS NULL"), 1);
}

TEST_F(Resting, ItsSchedulesDoNotFire) {
  for (const auto* tenant : {"away", "beside"}) {
    owner_.script(fmt::format(
        "INSERT INTO postern.schedule (tenant, name, spec, interval_seconds, queue, task, next_at) "
        "VALUES ('{}', 's', '@every 60s', 60, 'q', '{{\"url\":\"http://receiver.test/\"}}', now())",
        tenant));
  }
  const auto due = [this](int most) {
    return db::due_from(
        scheduler_.exec(db::kDueSchedules, db::due_schedules_params({"", most, 0})));
  };
  for (const int most : {1, 100}) {  // 1: as many are due as a step takes
    const auto found = due(most);
    ASSERT_EQ(found.schedules.size(), 1U) << most;
    EXPECT_EQ(found.schedules[0].tenant, "beside");
  }
}

TEST_F(Resting, ItsAttemptsAreNotRescued) {
  const auto away = task_of("away"), beside = task_of("beside");
  insert(api_, {away, beside});
  state("here");
  ASSERT_EQ(claimed(away) + claimed(beside), 2U);
  state("arriving");
  owner_.script("UPDATE postern.lease SET until = now() - interval '1 hour'");
  const auto found = [this] {
    return db::orphans_from(scheduler_.exec(db::kOrphans, db::orphans_params({}, Uuid{}))).tasks;
  };
  ASSERT_EQ(found().size(), 1U);
  EXPECT_EQ(found()[0].task.spec.tenant, "beside");
  owner_.script("UPDATE postern.lease SET deferred = true, instance = NULL");
  EXPECT_EQ(found().size(), 1U);
  state("here");
  EXPECT_EQ(found().size(), 2U);
}

TEST_F(Resting, ItsEntriesNeitherExpireNorGo) {
  owner_.script(
      "INSERT INTO postern.queue (tenant, name, max_age, max_entries, discard_old) "
      "VALUES ('away', 'q', '1 second', 1, true), ('beside', 'q', '1 second', 1, true);"
      "INSERT INTO postern.counter VALUES (gen_random_uuid(), 'away', 'q', 'created', 9), "
      "(gen_random_uuid(), 'beside', 'q', 'created', 2)");
  insert(api_, {task_of("away"), task_of("beside")});
  scheduler_.exec(db::kDiscardSurplus, db::discard_surplus_params(Uuid{}, {}, 10));
  EXPECT_EQ(count("task"), 1);
  insert(api_, {task_of("beside")});
  owner_.script(
      "UPDATE postern.task SET created_at = created_at - interval '1 hour', run_at = run_at - "
      "interval '1 hour'");
  scheduler_.exec(db::kExpireEntries, db::expire_entries_params(Uuid{}, {}, 10));
  EXPECT_EQ(count("task"), 1);
  EXPECT_EQ(count("task WHERE tenant = 'away'"), 1);
}

TEST_F(Resting, TasksThatHaveLeftAreKnownForAWhile) {
  const auto id = new_task().spec.id, over = new_task().spec.id;
  owner_.script(
      fmt::format("INSERT INTO postern.moved_task VALUES "
                  "('{}', 'away', now() + interval '1 hour'), "
                  "('{}', 'away', now() - interval '1 hour')",
                  to_uuid(id), to_uuid(over)));
  EXPECT_EQ(db::moved_task(api_, id), "away");
  EXPECT_EQ(db::moved_task(api_, over), std::nullopt);
  EXPECT_EQ(db::moved_task(api_, new_task().spec.id), std::nullopt);
  scheduler_.exec(db::kForgetMoved, db::forget_moved_params(10));
  EXPECT_EQ(count("moved_task"), 1);
}

}  // namespace
}  // namespace postern::test
