#include "db/engine/garbage.h"

#include <gtest/gtest.h>

#include "db/catalog/endpoints.h"
#include "db/engine/heartbeat.h"
#include "tests/support/database.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Garbage : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }

  // Goes over all counters, and returns in how many parts.
  int fold() {
    int parts = 0;
    for (std::optional from = db::CounterPlace{}; from; ++parts) {
      const auto reads = reads_of(scheduler_, "postern.counter", [&] {
        from = db::counters_behind(
            scheduler_.exec(db::kFoldCounters, db::fold_counters_params(*from)));
      });
      EXPECT_EQ(reads.scanned, 0);
      EXPECT_LE(reads.blocks, 120'000);
    }
    return parts;
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Garbage, ExpiredKeysAreForgotten) {
  owner_.script(R"sql(
    INSERT INTO postern.idempotency_key VALUES
      ('default', 'old', gen_random_uuid(), '', now() - interval '1 s'),
      ('default', 'new', gen_random_uuid(), '', now() + interval '1 h'))sql");
  scheduler_.exec(db::kExpireKeys, db::expire_keys_params());
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.idempotency_key"), 1);
}

TEST_F(Garbage, AKeyThatIsTakenAgainAtThisMomentIsPassedOver) {
  owner_.script(
      "INSERT INTO postern.idempotency_key SELECT 'default', n, gen_random_uuid(), '', now() - "
      "interval '1 s' FROM generate_series(1, 20000) n");
  db::Transaction creating(owner_);
  owner_.script("UPDATE postern.idempotency_key SET expires_at = 'infinity' WHERE key = '1'");
  EXPECT_EQ(scheduler_.exec(db::kExpireKeys, db::expire_keys_params()).affected(), db::kKeysAtOnce);
  EXPECT_EQ(scheduler_.exec(db::kExpireKeys, db::expire_keys_params()).affected(),
            db::kKeysAtOnce - 1);
  creating.commit();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.idempotency_key"), 1);
}

TEST_F(Garbage, CountersOfTheDepartedAddUpInOne) {
  const auto alive = random_uuid();
  scheduler_.exec(db::kBeat, db::beat_params(alive, "n", {}));
  for (const auto& instance : {alive, random_uuid(), random_uuid()}) {
    owner_.exec({"", "INSERT INTO postern.counter VALUES ($1, 'default', 'q', 'created', 5)"},
                db::Params().uuid(instance));
  }
  fold();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counter"), 2);
  EXPECT_EQ(counter(owner_, "created"), 15);
}

TEST_F(Garbage, CountersOfManyQueuesAddUpInParts) {
  owner_.script(
      "INSERT INTO postern.counter SELECT md5((n % 3)::text)::uuid, 'default', 'q' || n / 3, "
      "'created', 1 FROM generate_series(0, 59999) n");
  EXPECT_EQ(fold(), 13);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counter"), 20'000);
  EXPECT_EQ(scalar("SELECT min(value) FROM postern.counter"), 3);
  EXPECT_EQ(counter(owner_, "created"), 60'000);
}

// Whoever counts in one row may go on to another that is being added up.
TEST_F(Garbage, ACounterThatIsBeingCountedInIsAddedUpTheNextTime) {
  owner_.script(
      "INSERT INTO postern.counter SELECT md5('x')::uuid, 'default', 'q' || n, 'created', 1 FROM "
      "generate_series(1, 3) n");
  db::Transaction counting(owner_);
  owner_.script("UPDATE postern.counter SET value = 2 WHERE queue = 'q2'");
  fold();
  owner_.script("UPDATE postern.counter SET value = value + 1 WHERE queue = 'q1'");
  counting.commit();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counter WHERE instance = md5('x')::uuid"), 1);
  fold();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counter WHERE instance = md5('x')::uuid"), 0);
  EXPECT_EQ(counter(owner_, "created"), 5);
}

// A queue whose tasks are old, many queues that are empty, one with many tasks that are not due for
// long, and one more whose tasks are old.
TEST_F(Garbage, EntriesExpireInParts) {
  owner_.script(R"sql(
    ALTER TABLE postern.task SET (autovacuum_enabled = off);
    INSERT INTO postern.queue (tenant, name, max_age)
    SELECT 'default', name, interval '1 h' FROM unnest(ARRAY['a', 'c', 'd']) name
     UNION ALL SELECT 'default', 'b' || n, interval '1 h' FROM generate_series(1, 10000) n;
    INSERT INTO postern.task (id, tenant, queue, url, lane, state, run_at, created_at)
    SELECT postern.new_task_id(), 'default', queue, 'http://h.test/', 1, 'delayed',
           now() + CASE queue WHEN 'c' THEN interval '1 week' ELSE interval '-2 h' END, now() - interval '3 h'
      FROM (SELECT 'a' AS queue FROM generate_series(1, 1000)
             UNION ALL SELECT 'c' FROM generate_series(1, 50000)
             UNION ALL SELECT 'd' FROM generate_series(1, 1000)
             UNION ALL SELECT 'no_max_age' FROM generate_series(1, 1000)) q)sql");
  std::int64_t ended = 0;
  int parts = 0;
  for (std::optional from = db::EntryPlace{}; from; ++parts) {
    db::ExpiredEntries expired{};
    const auto reads = reads_of(scheduler_, "postern.task, postern.queue", [&] {
      expired = db::expired_entries_from(
          scheduler_.exec(db::kExpireEntries, db::expire_entries_params(random_uuid(), *from)));
    });
    EXPECT_LE(expired.ended, 200);
    EXPECT_EQ(reads.scanned, 0);
    EXPECT_LE(reads.blocks, 20'000);
    ended += expired.ended;
    from = expired.behind;
  }
  EXPECT_EQ(ended, 2'000);
  EXPECT_GE(parts, 5 + 5 + 25 + 5);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_finished WHERE reason = 'max_age'"), 2'000);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task"), 51'000);
}

TEST_F(Garbage, WhatIsAboveALoweredLimitIsDiscardedInPartsQueueByQueue) {
  owner_.script(R"sql(
    INSERT INTO postern.queue (tenant, name, max_entries, discard_old) VALUES
      ('default', 'a', 10, true), ('default', 'b', 10, true), ('default', 'c', 10, false);
    INSERT INTO postern.task (id, tenant, queue, url, lane, state)
    SELECT postern.new_task_id(), 'default', q, 'http://h.test/', 1, 'ready'
      FROM generate_series(1, 500) n, (VALUES ('a'), ('b'), ('c')) v(q);
    INSERT INTO postern.counter SELECT md5('x')::uuid, 'default', q, 'created', 500
      FROM (VALUES ('a'), ('b'), ('c')) v(q))sql");
  const auto left = [&](const char* queue) {
    return owner_
        .exec({"", "SELECT count(*) FROM postern.task WHERE queue = $1"}, db::Params().text(queue))
        .integer(0, 0);
  };
  const auto discard = [&](const db::QueuePlace& from) {
    return db::discarded_surplus_from(
        scheduler_.exec(db::kDiscardSurplus, db::discard_surplus_params(random_uuid(), from, 200)));
  };
  const auto first = discard({});
  EXPECT_EQ(first.discarded, 200);
  ASSERT_TRUE(first.behind);
  const auto second = discard(*first.behind);
  EXPECT_EQ(left("a"), 300);
  EXPECT_EQ(left("b"), 300);
  for (auto from = second.behind.value_or(db::QueuePlace{}); left("a") + left("b") > 20;) {
    const auto step = discard(from);
    EXPECT_LE(step.discarded, 200);
    from = step.behind.value_or(db::QueuePlace{});
  }
  EXPECT_EQ(discard({}).discarded, 0);
  EXPECT_EQ(left("a"), 10);
  EXPECT_EQ(left("b"), 10);
  EXPECT_EQ(left("c"), 500);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.task_finished WHERE reason = 'discarded'"), 980);
}

TEST_F(Garbage, DependenciesOfTasksThatAreGoneAreForgottenInParts) {
  owner_.script(
      "INSERT INTO postern.dependency SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, "
      "'0'))::uuid, gen_random_uuid() FROM generate_series(1, 20000) n");
  owner_.script(
      "INSERT INTO postern.task (id, tenant, queue, url, state) SELECT task, 'default', 'q', "
      "'http://h.test/', 'blocked' FROM postern.dependency LIMIT 100");
  int parts = 0;
  for (std::optional from = db::DependencyPlace{}; from; ++parts) {
    from = db::dependencies_behind(
        scheduler_.exec(db::kForgetDependencies, db::forget_dependencies_params(*from)));
  }
  EXPECT_EQ(parts, 11);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.dependency"), 100);
}

TEST_F(Garbage, MinutesOfEndpointsExpireWithoutReadingThoseOfToday) {
  owner_.script(
      "INSERT INTO postern.endpoint_minute SELECT 'default', 'e' || e, date_trunc('minute', now()) "
      "- "
      "m * interval '10 minutes', gen_random_uuid(), 1, 0, '{}' FROM generate_series(1, 1000) e, "
      "generate_series(1, 150) m");
  int parts = 0;
  for (std::optional from = db::EndpointPlace{}; from; ++parts) {
    const auto reads = reads_of(scheduler_, "postern.endpoint_minute", [&] {
      from = db::endpoints_behind(
          scheduler_.exec(db::kExpireEndpointMinutes, db::expire_endpoint_minutes_params(*from)));
    });
    EXPECT_EQ(reads.scanned, 0);
    EXPECT_LE(reads.blocks, 10'000);
  }
  EXPECT_EQ(parts, 11);
  EXPECT_EQ(
      scalar(
          "SELECT count(*) FROM postern.endpoint_minute WHERE minute < now() - interval '1 day'"),
      0);
  EXPECT_GE(scalar("SELECT count(*) FROM postern.endpoint_minute"), 143'000);
}

}  // namespace
}  // namespace postern::test
