#include "db/engine/gauges.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "db/catalog/queue_defaults.h"
#include "db/catalog/quotas.h"
#include "db/engine/heartbeat.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Gauges : public ::testing::Test {
 protected:
  void measure(Milliseconds every = Milliseconds{0}) {
    scheduler_.exec(db::kMeasureQueues, db::measure_queues_params(every));
  }
  // ready, delayed, active, blocked
  using Depths = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
  std::map<std::string, Depths> depths() {
    const auto rows =
        owner_.exec({"", "SELECT queue, ready, delayed, active, blocked FROM postern.queue_gauge"});
    std::map<std::string, Depths> out;
    for (int i = 0; i < rows.rows(); ++i) {
      out[std::string(rows.text(i, 0))] = {rows.integer(i, 1), rows.integer(i, 2),
                                           rows.integer(i, 3), rows.integer(i, 4)};
    }
    return out;
  }
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }

  void make_queue(const std::string& name) { db::make_queue(api_, "default", name); }
  NewTask later(const std::string& queue) {
    auto task = new_task(queue);
    task.delay = Seconds{3600};
    return task;
  }

  // Adds this many rows as handlers would have, counters included. Quicker than one by one.
  void add_many(const std::string& state, int count) {
    const std::string lane = std::to_string(lane_of(new_task("many")));
    owner_.script(
        "INSERT INTO postern.task (id, state, tenant, queue, url, lane, run_at) SELECT "
        "gen_random_uuid(), '" +
        state + "', 'default', 'many', 'http://receiver.test/', " + lane +
        ", now() + interval '1 day' FROM generate_series(1, " + std::to_string(count) +
        "); INSERT INTO postern.counter VALUES (gen_random_uuid(), 'default', 'many', "
        "'created', " +
        std::to_string(count) + ")");
  }

  // How many pages of tables and indexes one measurement reads.
  std::int64_t pages_read() {
    owner_.script("SELECT pg_stat_force_next_flush()");
    const auto pages = [&] {
      auto looker = database_.connect();
      return looker
          .exec({"",
                 "SELECT (coalesce(sum(heap_blks_read + heap_blks_hit + idx_blks_read + "
                 "idx_blks_hit), 0))::bigint FROM pg_statio_all_tables WHERE relname = 'task'"})
          .integer(0, 0);
    };
    const auto before = pages();
    {
      auto measuring = database_.connect("postern_scheduler");
      measuring.exec(db::kMeasureQueues, db::measure_queues_params(Milliseconds{0}));
    }  // what it read is told when it goes
    std::int64_t after = before;
    for (int i = 0; i < 500 && after == before; ++i) after = pages();
    return after - before;
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Gauges, TellEachStateOfEachQueue) {
  for (const char* queue : {"a", "b", "empty"}) make_queue(queue);
  auto other_lane = new_task("a");
  other_lane.spec.url = "http://elsewhere.test/";
  auto keyed = new_task("a");
  keyed.spec.key = "k";
  insert(api_, {new_task("a"), new_task("a"), new_task("a"), other_lane, later("a"), keyed,
                later("b"), later("b")});
  claim(scheduler_, 1, "a");
  measure();
  const std::map<std::string, Depths> want{
      {"a", {3, 1, 1, 1}}, {"b", {0, 2, 0, 0}}, {"empty", {0, 0, 0, 0}}};
  EXPECT_EQ(depths(), want);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_gauge WHERE estimated"), 0);
}

TEST_F(Gauges, TellWhatATenantHasInAll) {
  for (const char* queue : {"a", "b"}) make_queue(queue);
  owner_.script("INSERT INTO postern.tenant (name) VALUES ('other')");
  auto others = new_task("a"), keyed = new_task("a");
  others.spec.tenant = "other";
  keyed.spec.key = "k";
  auto behind = new_task("a");
  behind.spec.key = "k";
  insert(api_, {new_task("a"), keyed, later("b"), others});
  insert(api_, {behind});
  claim(scheduler_, 1, "a");
  measure();
  EXPECT_EQ(db::tenant_load(api_, "default").waiting, 3) << "ready, delayed and blocked";
  EXPECT_EQ(db::tenant_load(api_, "default").lanes, 1);
  EXPECT_EQ(db::tenant_load(api_, "other").waiting, 1);
  insert(api_, {new_task("a"), new_task("b")});
  measure();
  EXPECT_EQ(db::tenant_load(api_, "default").waiting, 5);
  EXPECT_EQ(db::tenant_load(api_, "default").lanes, 2);
  owner_.script(
      "DELETE FROM postern.task WHERE tenant = 'other';"
      "DELETE FROM postern.counter WHERE tenant = 'other';"
      "DELETE FROM postern.queue WHERE tenant = 'other'");
  measure();
  EXPECT_EQ(db::tenant_load(api_, "other").waiting, 0);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.tenant_gauge"), 1);
}

TEST_F(Gauges, TheOldestIsLookedForBehindHigherPriorities) {
  auto urgent = new_task(), old = new_task(), older = new_task();
  urgent.spec.priority = 90;
  old.run_at = *parse_rfc3339("2002-01-01T00:00:00Z");
  old.spec.priority = 10;
  older.run_at = *parse_rfc3339("2001-01-01T00:00:00Z");
  older.spec.url = "http://elsewhere.test/";
  insert(api_, {urgent, old});
  measure();
  const char* const year = "SELECT extract(year FROM oldest_due)::int FROM postern.queue_gauge";
  EXPECT_EQ(scalar(year), 2002);
  insert(api_, {older});
  measure();
  EXPECT_EQ(scalar(year), 2001);
}

TEST_F(Gauges, WhatIsEmptyAgainBecomesZeroAndWhatIsGoneLosesItsRow) {
  make_queue("q");
  make_queue("gone");
  const auto task = new_task();
  insert(api_, {task});
  measure();
  EXPECT_EQ(depths().at("q"), (Depths{1, 0, 0, 0}));
  db::cancel_task(api_, "default", task.spec.id, Uuid{});
  owner_.script("DELETE FROM postern.queue WHERE name = 'gone'");
  measure();
  EXPECT_EQ(depths(), (std::map<std::string, Depths>{{"q", {0, 0, 0, 0}}}));
  EXPECT_EQ(scalar("SELECT count(oldest_due) FROM postern.queue_gauge"), 0);
}

TEST_F(Gauges, OneMeasurementServesAllSchedulers) {
  make_queue("q");
  measure();
  insert(api_, {new_task()});
  measure(Seconds{60});
  EXPECT_EQ(depths().at("q"), (Depths{0, 0, 0, 0})) << "another has just done it";
  owner_.script("UPDATE postern.queue_gauge SET seen_at = now() - interval '61 seconds'");
  auto busy = database_.connect("postern_scheduler");
  {
    db::Transaction measuring(busy);
    busy.exec({"", "SELECT pg_advisory_xact_lock(hashtextextended('postern.measure_queues', 0))"});
    measure(Seconds{60});
    EXPECT_EQ(depths().at("q"), (Depths{0, 0, 0, 0})) << "another is at it";
  }
  measure(Seconds{60});
  EXPECT_EQ(depths().at("q"), (Depths{1, 0, 0, 0}));
}

TEST_F(Gauges, AMeasurementThatLiesAheadServesNobody) {
  make_queue("q");
  measure();
  insert(api_, {new_task()});
  owner_.script("UPDATE postern.queue_gauge SET seen_at = now() + interval '1 hour'");
  measure(Seconds{60});
  EXPECT_EQ(depths().at("q"), (Depths{1, 0, 0, 0})) << "the clock has gone back";
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_gauge WHERE seen_at > now()"), 0);
}

TEST_F(Gauges, ManyQueuesAreNotComparedWithEachOther) {
  owner_.script(R"sql(
    INSERT INTO postern.queue (tenant, name) SELECT 'default', 'q' || n FROM generate_series(1, 3000) n;
    INSERT INTO postern.counter SELECT gen_random_uuid(), 'default', 'q' || n, 'created', 2 FROM generate_series(1, 3000) n)sql");
  measure();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_gauge WHERE delayed = 2"), 3000);
  owner_.script("DELETE FROM postern.counter; DELETE FROM postern.queue WHERE name <> 'q7'");
  measure();
  EXPECT_EQ(depths().size(), 1U);
}

TEST_F(Gauges, DelayedTasksCostNothing) {
  make_queue("q");
  insert(api_, {new_task()});
  const auto few = pages_read();
  add_many("delayed", 30'000);
  EXPECT_LT(pages_read(), few + 100) << "pages of `task` read with 30,000 delayed tasks";
  EXPECT_EQ(depths().at("many"), (Depths{0, 30'000, 0, 0}));
}

TEST_F(Gauges, CountingStopsAndSaysSo) {
  make_queue("q");
  insert(api_, {new_task()});
  add_many("ready", 100'001);
  measure();
  EXPECT_EQ(depths().at("q"), (Depths{1, 0, 0, 0}));
  EXPECT_EQ(depths().at("many"), (Depths{100'000, 1, 0, 0}));
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_gauge WHERE estimated"), 1);
}

}  // namespace
}  // namespace postern::test
