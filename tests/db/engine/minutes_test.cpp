#include "db/engine/minutes.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/support/database.h"
#include "tests/support/edges.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Minutes : public ::testing::Test {
 protected:
  std::int64_t scalar(const std::string& sql) {
    return owner_.exec({"", sql.c_str()}).integer(0, 0);
  }
  std::int64_t sum(const std::string& what, const std::string& queue) {
    return scalar(fmt::format(
        "SELECT coalesce(sum({}), -1)::bigint FROM postern.queue_minute WHERE queue = '{}'", what,
        queue));
  }
  void count(const std::string& queue, const std::string& name, int value, const Uuid& instance) {
    owner_.script(fmt::format(
        "INSERT INTO postern.counter AS c VALUES ('{}', 'default', '{}', '{}', {}) ON CONFLICT "
        "(tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value",
        to_uuid(instance), queue, name, value));
  }
  // As if the last pass had been for the minute before: the next has the last whole one to count.
  void let_a_minute_go_by() {
    await_time_before_edge(owner_, Seconds{60}, Seconds{6});
    owner_.script(
        "UPDATE postern.minute_pass SET minute = date_trunc('minute', now() - interval '6 "
        "seconds') "
        "- interval '2 minutes'");
  }
  bool step(int most = 20'000) {
    return db::minute_goes_on(scheduler_.exec(db::kCountMinute, db::count_minute_params(most)));
  }
  // Returns the steps that it took.
  int pass(int most = 20'000) {
    int steps = 1;
    while (step(most)) ++steps;
    return steps;
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  const Uuid one_ = random_uuid(), other_ = random_uuid();
};

TEST_F(Minutes, AreTheDifferencesOfTheCountersOfAllInstances) {
  count("a", "created", 1000, one_);
  count("idle", "created", 5, one_);
  pass();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute"), 0) << "of which minute is unknown";
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counted_minute"), 0);

  count("a", "created", 3, one_);
  count("a", "created", 4, other_);
  count("a", "finished_completed", 2, other_);
  count("a", "finished_failed", 1, other_);
  count("a", "finished_cancelled", 1, one_);
  count("a", "attempts_success", 2, other_);
  count("a", "attempts_failed", 5, other_);
  count("a", "attempts_lost", 1, other_);
  count("new", "created", 6, one_);
  let_a_minute_go_by();
  pass();
  EXPECT_EQ(sum("created", "a"), 7);
  EXPECT_EQ(sum("completed", "a"), 2);
  EXPECT_EQ(sum("failed", "a"), 1);
  EXPECT_EQ(sum("cancelled", "a"), 1);
  EXPECT_EQ(sum("attempts", "a"), 8);
  EXPECT_EQ(sum("attempts_failed", "a"), 6);
  EXPECT_EQ(sum("created", "new"), 6);
  EXPECT_EQ(sum("created", "idle"), -1) << "it needs no row";
  EXPECT_EQ(sum("created", ""), 13) << "of the tenant";
  EXPECT_EQ(sum("queues", ""), 2);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counted_minute"), 1);

  let_a_minute_go_by();
  pass();
  EXPECT_EQ(sum("created", ""), 13) << "nothing has happened since";
}

TEST_F(Minutes, OfOneMinuteAreCountedOnce) {
  count("a", "created", 1, one_);
  pass();
  let_a_minute_go_by();
  count("a", "created", 1, one_);
  pass();
  count("a", "created", 1, one_);
  // The clock may go on to the next minute meanwhile, of which it is then.
  const auto before = scalar("SELECT count(*) FROM postern.counted_minute");
  pass();
  EXPECT_EQ(sum("created", "a"), scalar("SELECT count(*) FROM postern.counted_minute"));
  EXPECT_GE(before, 1);
}

TEST_F(Minutes, AfterAGapOnlyTheMarksAreSet) {
  count("a", "created", 1, one_);
  pass();
  count("a", "created", 100, one_);
  owner_.script(
      "UPDATE postern.minute_pass SET minute = minute - interval '10 minutes', step_at = now() - "
      "interval '91 seconds'");
  pass();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute"), 0);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counted_minute"), 0);
  count("a", "created", 2, one_);
  let_a_minute_go_by();
  pass();
  EXPECT_EQ(sum("created", "a"), 2);
}

TEST_F(Minutes, WhatSeveralMinutesAddedIsNoRowOfOne) {
  count("a", "created", 1, one_);
  pass();
  // The pass before took more than a minute: its last step was now.
  owner_.script("UPDATE postern.minute_pass SET minute = minute - interval '3 minutes'");
  count("a", "created", 400, one_);
  pass();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute"), 0);
  let_a_minute_go_by();
  count("a", "created", 2, one_);
  pass();
  EXPECT_EQ(sum("created", "a"), 2);
}

TEST_F(Minutes, AClockThatWasSetBackIsAGap) {
  count("a", "created", 1, one_);
  pass();
  count("a", "created", 100, one_);
  owner_.script(
      "UPDATE postern.minute_pass SET minute = minute + interval '1 hour', step_at = now() + "
      "interval '1 hour'");
  pass();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute"), 0);
}

TEST_F(Minutes, AreCountedByOneSchedulerAtATime) {
  count("a", "created", 1, one_);
  auto second = database_.connect("postern_scheduler");
  db::Transaction busy(second);
  second.exec(db::kCountMinute, db::count_minute_params(1));
  EXPECT_FALSE(step()) << "it neither waits nor counts";
  busy.commit();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_mark"), 1);
}

TEST_F(Minutes, OfManyQueuesAreCountedInBoundedSteps) {
  owner_.script(fmt::format(
      "INSERT INTO postern.counter SELECT '{}', 'default', 'q' || q, n, 1 FROM generate_series(1, "
      "20000) q, unnest(ARRAY['created', 'attempts_success', 'finished_completed']) n",
      to_uuid(one_)));
  EXPECT_GE(pass(5'000), 12);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_mark"), 20'000);

  owner_.script("UPDATE postern.counter SET value = value + 1 WHERE queue LIKE 'q1%'");
  const auto moved = scalar("SELECT count(DISTINCT queue) FROM postern.counter WHERE value > 1");
  let_a_minute_go_by();
  int steps = 0;
  for (bool more = true; more; ++steps) {
    const auto reads = reads_of(scheduler_, "postern.counter", [&] { more = step(5'000); });
    EXPECT_EQ(reads.scanned, 0);
    EXPECT_LE(reads.blocks, 20'000);
  }
  EXPECT_LE(steps, 13);
  EXPECT_EQ(sum("created", ""), moved);
  EXPECT_EQ(sum("completed", ""), moved);
}

TEST_F(Minutes, AreWrittenOfAThousandQueuesOfATenant) {
  owner_.script(fmt::format(
      "INSERT INTO postern.tenant (name) VALUES ('other');"
      "INSERT INTO postern.counter SELECT '{0}', 'default', 'q' || q, 'created', 1 FROM "
      "generate_series(1, 1500) q;"
      "INSERT INTO postern.counter VALUES ('{0}', 'other', 'q', 'created', 1)",
      to_uuid(one_)));
  pass();
  owner_.script(
      "UPDATE postern.counter SET value = value + CASE queue WHEN 'q1500' THEN 50 ELSE 1 END");
  let_a_minute_go_by();
  pass();
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute WHERE tenant = 'default'"), 1'001);
  EXPECT_EQ(sum("created", "q1500"), 50) << "the busiest go first";
  EXPECT_EQ(scalar("SELECT created FROM postern.queue_minute WHERE left_out"), 1'549);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute WHERE tenant = 'other'"), 2);

  // In several steps no more than in one.
  owner_.script("UPDATE postern.counter SET value = value + 1");
  owner_.script("DELETE FROM postern.queue_minute");
  let_a_minute_go_by();
  EXPECT_GE(pass(100), 15);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.queue_minute WHERE tenant = 'default'"), 1'001);
  EXPECT_EQ(scalar("SELECT created FROM postern.queue_minute WHERE left_out"), 1'500);
}

TEST_F(Minutes, AQueueWithMoreCountersThanAStepTakesIsLookedAtWhole) {
  owner_.script(
      "INSERT INTO postern.counter SELECT gen_random_uuid(), 'default', 'a', 'created', 1 FROM "
      "generate_series(1, 50)");
  count("b", "created", 1, one_);
  EXPECT_LE(pass(10), 2);
  EXPECT_EQ(scalar("SELECT created FROM postern.queue_mark WHERE queue = 'a'"), 50);
  EXPECT_EQ(scalar("SELECT created FROM postern.queue_mark WHERE queue = 'b'"), 1);
}

TEST_F(Minutes, AreForgottenAfterThreeHours) {
  owner_.script(
      "INSERT INTO postern.queue_minute SELECT date_trunc('minute', now()) - m * interval '1 "
      "minute', 'default', 'q' || q, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 300) m, "
      "generate_series(1, 100) q;"
      "INSERT INTO postern.counted_minute SELECT DISTINCT minute FROM postern.queue_minute");
  std::int64_t forgotten = 0;
  for (std::int64_t n = 5'000; n == 5'000; forgotten += n) {
    const auto reads = reads_of(scheduler_, "postern.queue_minute", [&] {
      n = scheduler_.exec(db::kExpireMinutes, db::expire_minutes_params(5'000)).affected();
    });
    EXPECT_EQ(reads.scanned, 0);
    EXPECT_LE(reads.blocks, 60'000);
  }
  EXPECT_GE(forgotten, 11'900);
  EXPECT_GE(scalar("SELECT count(*) FROM postern.queue_minute"), 17'900);
  EXPECT_LE(scalar("SELECT count(*) FROM postern.counted_minute"), 180);
}

}  // namespace
}  // namespace postern::test
