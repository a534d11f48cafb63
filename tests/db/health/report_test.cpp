// Each check of the handlers, of all tenants and of one, by the handlers' own role: what is found,
// and that what is another tenant's is not.
#include "db/health/report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>

#include "core/model/lane.h"
#include "core/program/clock.h"
#include "db/catalog/engine_pause.h"
#include "db/engine/heartbeat.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

using db::health::Grade;

class HealthReport : public ::testing::Test {
 protected:
  HealthReport() { owner_.script("INSERT INTO postern.tenant (name) VALUES ('acme')"); }

  db::health::Report report(const std::string& tenant = "") {
    return db::health::examine(api_, tenant, wall_clock());
  }
  // What a check says, as "warning: paused: queue default/q".
  std::string said(const std::string& name, const std::string& tenant = "") {
    for (const auto& each : report(tenant).checks) {
      if (each.name == name)
        return fmt::format("{}: {}", word(each.verdict.grade), each.verdict.finding);
    }
    return "no such check";
  }
  Uuid beat(const std::string& name, const SchedulerGauges& gauges = {}) {
    const Uuid instance = random_uuid();
    owner_.exec(db::kBeat, db::beat_params(instance, name, gauges));
    return instance;
  }
  std::int64_t lane(const std::string& tenant, const std::string& queue) {
    const std::int64_t id = lane_id(tenant, queue, "receiver.test");
    owner_.exec({"",
                 "INSERT INTO postern.lane (id, tenant, queue, target) VALUES ($1, $2, $3, "
                 "'receiver.test')"},
                db::Params().int8(id).text(tenant).text(queue));
    return id;
  }
  // Tasks that ended just now.
  void finished(const std::string& tenant, const std::string& state, int count) {
    owner_.script(
        fmt::format("INSERT INTO postern.task_finished (id, state, tenant, queue, url, "
                    "finished_at) SELECT postern.new_task_id(), "
                    "'{}', '{}', 'q', 'http://receiver.test/', now() FROM generate_series(1, {})",
                    state, tenant, count));
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
};

TEST_F(HealthReport, NothingIsWrongWithADatabaseThatWasJustMigratedButThatNobodyDelivers) {
  const auto all = report();
  EXPECT_EQ(all.status, Grade::wrong);
  for (const auto& each : all.checks) {
    // The databases of the tests let only who is asked for in.
    const bool expected = each.name == "scheduler" || each.name == "rights";
    EXPECT_EQ(each.verdict.grade == Grade::wrong, expected)
        << each.name << ": " << each.verdict.finding;
  }
  EXPECT_EQ(said("scheduler"), "wrong: 0 up");
  EXPECT_EQ(said("scheduler", "acme"), "wrong: 0 up");
  beat("one");
  EXPECT_EQ(said("scheduler", "acme"), "ok: 1 up");
  EXPECT_EQ(report("acme").status, Grade::ok);
}

TEST_F(HealthReport, ATenantsReportHasItsOwnChecksAlone) {
  std::string names;
  const auto own = report("acme");
  for (const auto& each : own.checks) names += each.name + ' ';
  EXPECT_EQ(names, "scheduler pauses breakers oldest due failures egress ");
  EXPECT_FALSE(own.installation);
}

TEST_F(HealthReport, Pauses) {
  EXPECT_EQ(said("pauses"), "ok: nothing is paused");
  owner_.script(R"sql(
    INSERT INTO postern.queue (tenant, name, paused) VALUES ('default', 'q', true), ('acme', 'mail', true), ('default', 'aq_test', true);
    INSERT INTO postern.endpoint (tenant, name, url, paused) VALUES ('acme', 'hook', 'http://receiver.test/', true);
    INSERT INTO postern.schedule (tenant, name, spec, queue, task, paused) VALUES ('acme', 'nightly', '@daily', 'q', '{}', true))sql");
  EXPECT_EQ(said("pauses"),
            "warning: paused: queue acme/mail, queue default/q, endpoint acme/hook, schedule "
            "acme/nightly");
  EXPECT_EQ(said("pauses", "default"), "warning: paused: queue default/q");
  EXPECT_EQ(said("pauses", "acme"),
            "warning: paused: queue acme/mail, endpoint acme/hook, schedule acme/nightly");
  EXPECT_EQ(said("pauses", "third"), "ok: nothing is paused");
  db::pause_engine(owner_, true);
  EXPECT_EQ(said("pauses", "third"), "warning: the whole engine is paused: nothing is delivered");
  EXPECT_EQ(said("pauses"), said("pauses", "third"));
}

TEST_F(HealthReport, Breakers) {
  EXPECT_EQ(said("breakers"), "ok: no breaker is open");
  beat("one", {.lanes = {{lane("default", "q"), "open"},
                         {lane("acme", "mail"), "open"},
                         {lane("acme", "sms"), "half_open"}}});
  EXPECT_EQ(said("breakers"),
            "warning: open: acme/mail to receiver.test, default/q to receiver.test");
  EXPECT_EQ(said("breakers", "default"), "warning: open: default/q to receiver.test");
  const auto lanes = report("acme").breakers;
  ASSERT_EQ(lanes.size(), 2U);
  EXPECT_EQ(lanes[0].queue + ' ' + lanes[0].state, "mail open");
  EXPECT_EQ(lanes[1].queue + ' ' + lanes[1].state, "sms half_open");
  EXPECT_EQ(report().breakers.size(), 3U);
  EXPECT_EQ(report("third").breakers.size(), 0U);
}

TEST_F(HealthReport, OldestDue) {
  EXPECT_EQ(said("oldest due"), "ok: nothing is due");
  owner_.script(R"sql(
    INSERT INTO postern.queue_gauge (tenant, queue, seen_at, ready, delayed, active, blocked, estimated, oldest_due)
    VALUES ('default', 'q', now(), 1, 0, 0, 0, false, now() - interval '30 seconds'),
           ('acme', 'idle', now(), 0, 0, 0, 0, false, NULL),
           ('acme', 'mail', now(), 1, 0, 0, 0, false, now() - interval '1 hour'))sql");
  EXPECT_TRUE(said("oldest due").starts_with("warning: due for 360")) << said("oldest due");
  EXPECT_TRUE(said("oldest due", "acme").ends_with(" s, in the queue acme/mail"));
  EXPECT_TRUE(said("oldest due", "default").starts_with("ok: due for 3"));
  EXPECT_EQ(said("oldest due", "third"), "ok: nothing is due");
}

TEST_F(HealthReport, Failures) {
  finished("acme", "failed", 5);
  finished("default", "completed", 105);
  EXPECT_EQ(said("failures"), "ok: 5 of 110 tasks failed in 15 min");
  EXPECT_EQ(said("failures", "acme"), "ok: 0 of 0 tasks failed in 15 min")
      << "as no scheduler has counted";
  // Of each tenant the row of all its queues, one that is too old, and one queue's.
  owner_.script(R"sql(
    INSERT INTO postern.queue_minute (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed)
    SELECT date_trunc('minute', now()) - n * interval '1 minute', tenant, queue, 0, completed, failed, 0, 0, 0
      FROM (VALUES ('acme', 5, 5), ('default', 100, 0)) t(tenant, completed, failed)
     CROSS JOIN (VALUES (1, ''), (1, 'q'), (16, '')) m(n, queue))sql");
  EXPECT_EQ(said("failures", "acme"), "warning: 5 of 10 tasks failed in 15 min");
  EXPECT_EQ(said("failures", "default"), "ok: 0 of 100 tasks failed in 15 min");
  EXPECT_EQ(said("failures", "third"), "ok: 0 of 0 tasks failed in 15 min");
}

TEST_F(HealthReport, Egress) {
  owner_.script(R"sql(
    INSERT INTO postern.endpoint (tenant, name, url) VALUES
      ('default', 'web', 'http://receiver.test:8080/'), ('acme', 'smtp', 'http://receiver.test:25/'),
      ('acme', 'npp', 'http://receiver.test:4045/'))sql");
  EXPECT_EQ(said("egress", "acme"), "wrong: closed: acme/npp (4045, npp), acme/smtp (25, smtp)");
  EXPECT_EQ(said("egress", "default"), "ok: no endpoint has a closed port");
  beat("one", {.egress_ports_allow = {4045}, .lanes = {}});
  EXPECT_EQ(said("egress"), "wrong: closed: acme/smtp (25, smtp)");
}

TEST_F(HealthReport, TheClockOfTheMachineThatAsks) {
  const auto off = [this](Seconds by) {
    for (const auto& each : db::health::examine(api_, "", wall_clock() + by).checks) {
      if (each.name == "clock") return each.verdict.grade;
    }
    return Grade::skipped;
  };
  EXPECT_EQ(off(Seconds{0}), Grade::ok);
  EXPECT_EQ(off(Seconds{-10}), Grade::wrong);
}

TEST_F(HealthReport, MovesThatNoCommandIsAt) {
  EXPECT_EQ(said("moves"), "ok: 0 moves of tenants without a command");
  owner_.script(
      "INSERT INTO postern.move (tenant, id, source, other, step) VALUES ('acme', "
      "gen_random_uuid(), true, 'b', 'copying')");
  auto command = database_.connect();
  const struct {
    const char *state, *said;
  } cases[] = {
      {"here", "warning: 1 moves of tenants without a command"},
      {"arriving", "warning: 1 moves of tenants without a command"},
      {"draining",
       "wrong: 1 moves of tenants without a command: the writes of 0 are refused, and 1 more are "
       "not delivered"},
      {"fenced",
       "wrong: 1 moves of tenants without a command: the writes of 1 are refused, and 0 more are "
       "not delivered"},
  };
  for (const auto& [state, sentence] : cases) {
    owner_.exec({"", "UPDATE postern.tenant SET state = $1 WHERE name = 'acme'"},
                db::Params().text(state));
    EXPECT_EQ(said("moves"), sentence);
    command.script("SELECT pg_advisory_lock(hashtextextended('postern.move acme', 0))");
    EXPECT_EQ(said("moves"), "ok: 0 moves of tenants without a command") << state;
    command.script("SELECT pg_advisory_unlock_all()");
  }
}

TEST_F(HealthReport, PartitionsAndRowsBesideThem) {
  EXPECT_TRUE(said("partitions").starts_with("ok: made for ")) << said("partitions");
  owner_.script(R"sql(
    DO $$ DECLARE part text; BEGIN
      FOR part IN SELECT relname FROM pg_class WHERE relname ~ '^task_finished_short_[0-9]{8}$' LOOP
        EXECUTE 'DROP TABLE postern.' || part;
      END LOOP;
    END $$)sql");
  EXPECT_EQ(said("partitions"), "wrong: made for 0 days from today");
  EXPECT_EQ(said("stray rows"), "ok: 0 rows in DEFAULT partitions");
  owner_.script(
      "INSERT INTO postern.task_finished (id, state, tenant, queue, url, finished_at) VALUES "
      "(gen_random_uuid(), 'failed', 'default', 'q', 'http://receiver.test/', '2020-01-01')");
  EXPECT_EQ(said("stray rows"), "warning: 1 rows in DEFAULT partitions");
  const auto partitions = report().installation->partitions;
  std::map<std::string, std::int64_t> rows;
  for (const auto& each : partitions) {
    EXPECT_EQ(each.name.ends_with("_default"), !each.day) << each.name;
    EXPECT_GT(each.bytes, 0) << each.name;
    rows[each.retention] += each.rows_estimate;
  }
  EXPECT_EQ(partitions.front().retention, "short");
  EXPECT_EQ(partitions.front().day, std::nullopt) << "what has no day comes first";
  EXPECT_EQ(rows.size(), 2U);
}

TEST_F(HealthReport, WhatThereIsOfTheInstallation) {
  db::beat_handler(owner_, random_uuid(), "web", "");
  owner_.script(
      "INSERT INTO postern.instance (id, program, name, version, beat_at) VALUES "
      "(gen_random_uuid(), 'postern-fcgi', 'silent', '0.1.0', now() - interval '2 minutes')");
  const auto of = report().installation;
  ASSERT_TRUE(of);
  ASSERT_EQ(of->handlers.size(), 2U);
  EXPECT_EQ(of->handlers[0].name, "silent");
  EXPECT_FALSE(of->handlers[0].up);
  EXPECT_TRUE(of->handlers[1].up);
  EXPECT_GE(of->database.connections, 2);
  EXPECT_GE(of->database.max_connections, of->database.connections);
  EXPECT_GT(of->database.size_bytes, 1'000'000);
  EXPECT_GT(of->database.transaction_ids_used, 0);
  EXPECT_FALSE(of->database.in_recovery);
  EXPECT_FALSE(of->database.version.empty());
}

// As after an update before `postern migrate`: the other checks are made.
TEST_F(HealthReport, ACheckThatMayNotLookSaysSoToWhoRunsPostern) {
  beat("one");
  owner_.script("REVOKE SELECT ON postern.endpoint FROM postern_api");
  EXPECT_TRUE(said("egress").starts_with("wrong: could not be checked: ")) << said("egress");
  EXPECT_NE(said("egress").find("endpoint"), std::string::npos) << "why";
  EXPECT_EQ(said("egress", "acme"), "wrong: could not be checked");
  EXPECT_EQ(said("failures", "acme"), "ok: 0 of 0 tasks failed in 15 min");
}

TEST_F(HealthReport, ACheckThatTheDatabaseHasNoTimeForIsSkipped) {
  beat("one");
  auto other = database_.connect();
  const db::Transaction holds(other);
  other.exec({"", "LOCK TABLE postern.queue_gauge IN ACCESS EXCLUSIVE MODE"});
  api_.script("SET lock_timeout = '10ms'");
  EXPECT_EQ(said("oldest due", "acme"), "skipped: the database had no time for this check");
  EXPECT_EQ(report("acme").status, Grade::ok);
}

// Lost while a check waits for a lock.
TEST_F(HealthReport, AConnectionThatIsLostIsNoFinding) {
  auto doomed = database_.connect("postern_api");
  const auto pid = static_cast<int>(doomed.exec({"", "SELECT pg_backend_pid()"}).integer(0, 0));
  auto other = database_.connect();
  const db::Transaction holds(other);
  other.exec({"", "LOCK TABLE postern.queue_gauge IN ACCESS EXCLUSIVE MODE"});
  auto killed = std::async(std::launch::async, [&] {
    while (
        !owner_
             .exec(
                 {"",
                  "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid = $1 AND NOT granted"},
                 db::Params().int4(pid))
             .rows()) {
      std::this_thread::sleep_for(Milliseconds{1});
    }
  });
  EXPECT_THROW(db::health::examine(doomed, "acme", wall_clock()), db::PgError);
  killed.get();
}

}  // namespace
}  // namespace postern::test
