// Whose schedules are fired in one step, how many of them, and what finding them reads.
#include <gtest/gtest.h>

#include <map>

#include <fmt/format.h>

#include "db/engine/occurrences.h"
#include "db/engine/tick.h"
#include "tests/support/database.h"
#include "tests/support/reads.h"

namespace postern::test {
namespace {

class ScheduleTurns : public ::testing::Test {
 protected:
  // Schedules of one second. `next_at`: SQL, of the schedule's number n.
  void make(const std::string& tenant, int count, const std::string& next_at,
            const std::string& task = "") {
    owner_.script(
        fmt::format(
            "INSERT INTO postern.tenant (name) VALUES ('{0}') ON CONFLICT DO NOTHING;"
            "INSERT INTO postern.schedule (tenant, name, spec, interval_seconds, queue, task, "
            "next_at) SELECT '{0}', 's' || n, '@every 1s', 1, 'q', {3}, {2} "
            "FROM generate_series(1, {1}) n",
            tenant, count, next_at,
            task.empty() ? R"('{"queue":"q","url":"http://receiver.test/"}')" : task)
            .c_str());
  }

  db::Due due(const db::DueScope& scope = {}) {
    return db::due_from(scheduler_.exec(db::kDueSchedules, db::due_schedules_params(scope)));
  }
  static std::map<std::string, int> count(const db::Due& due) {
    std::map<std::string, int> out;
    for (const auto& each : due.schedules) ++out[each.tenant];
    return out;
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

using Counts = std::map<std::string, int>;

TEST_F(ScheduleTurns, ATenantsSchedulesAreNotBehindAnothersMany) {
  make("attacker", 2'000, "now() - interval '1 hour'");
  make("victim", 3, "now()");
  make("later", 9, "now() + interval '1 hour'");
  auto found = due();
  EXPECT_EQ(count(found), (Counts{{"attacker", 250}, {"victim", 3}}));
  EXPECT_EQ(found.schedules[1].tenant, "victim") << "in the first round";
  EXPECT_EQ(found.schedules[5].tenant, "victim");
  EXPECT_TRUE(found.more);
  // While steps are small, and whoever was the last in turn.
  EXPECT_EQ(count(due({.most = 2})), (Counts{{"attacker", 1}, {"victim", 1}}));
  EXPECT_EQ(count(due({.behind = "attacker", .most = 1})), (Counts{{"victim", 1}}));
  EXPECT_EQ(count(due({.behind = "victim", .most = 1})), (Counts{{"attacker", 1}}));
}

TEST_F(ScheduleTurns, AsLongAsAllAreTakenNobodyHasAShare) {
  make("large", 400, "now()");
  make("small", 20, "now() - interval '1 second'");
  const auto found = due();
  EXPECT_EQ(count(found), (Counts{{"large", 400}, {"small", 20}}));
  EXPECT_FALSE(found.more);
}

TEST_F(ScheduleTurns, OfATenantTheLongestWaitingComeFirst) {
  make("a", 30, "now() - n * interval '1 second'");
  const auto found = due({.most = 2});
  ASSERT_EQ(found.schedules.size(), 2u);
  EXPECT_EQ(found.schedules[0].schedule.name, "s30");
  EXPECT_EQ(found.schedules[1].schedule.name, "s29");
}

// More tenants than one step takes.
TEST_F(ScheduleTurns, TenantsTakeTurns) {
  for (int i = 0; i < 25; ++i) make(fmt::format("t{:02}", i), 3, "now()");
  Counts seen;
  std::string behind;
  for (int step = 0; step < 5; ++step) {
    const auto found = due({.behind = behind, .most = 10});
    EXPECT_EQ(found.schedules.size(), 10u);
    for (const auto& each : found.schedules) ++seen[each.tenant];
    behind = found.turn;
  }
  for (int i = 0; i < 25; ++i) EXPECT_EQ(seen[fmt::format("t{:02}", i)], 2) << i;
}

// Tenants of whom nothing is due are passed a thousand at a time.
TEST_F(ScheduleTurns, AStepSaysHowFarItLooked) {
  make("zz", 600, "now()");
  owner_.script(
      "INSERT INTO postern.tenant (name) SELECT 'a' || n FROM generate_series(1001, 2100) n;"
      "INSERT INTO postern.schedule (tenant, name, spec, queue, task, next_at) "
      "SELECT name, 's', '* * * * *', 'q', '{}', now() + interval '1 hour' FROM postern.tenant "
      "WHERE name LIKE 'a%'");
  auto found = due();
  EXPECT_TRUE(found.schedules.empty());
  EXPECT_TRUE(found.more);
  EXPECT_EQ(found.turn, "a2000");
  found = due({.behind = found.turn});
  EXPECT_EQ(count(found), (Counts{{"zz", 500}}));
}

TEST_F(ScheduleTurns, EachTenantHasItsShareOfTheBytes) {
  // One of 1 MiB fills a sixteenth of a step.
  make(
      "large", 40, "now() - interval '1 hour'",
      R"('{"queue":"q","url":"http://receiver.test/","payload":"' || repeat('x', 1 << 20) || '"}')");
  make("small", 100, "now()");
  const auto found = count(due({.most = 100}));
  EXPECT_EQ(found.at("small"), 50);
  EXPECT_EQ(found.at("large"), 8);
  owner_.script("DELETE FROM postern.schedule WHERE tenant = 'small'");
  EXPECT_EQ(count(due()).at("large"), 16);
}

// Nor do all of them together have more than a step may.
TEST_F(ScheduleTurns, WhoIsNotReachedForItsBytesComesNext) {
  const auto large =
      R"('{"queue":"q","url":"http://receiver.test/","payload":"' || repeat('x', 4 << 20) || '"}')";
  for (const char* tenant : {"a", "b", "c", "d", "e", "f"}) make(tenant, 2, "now()", large);
  for (const int most : {5, 10, 500}) {
    auto found = due({.most = most});
    EXPECT_EQ(count(found), (Counts{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}));
    EXPECT_EQ(found.turn, "d");
    found = due({.behind = found.turn, .most = most});
    EXPECT_EQ(count(found), (Counts{{"e", 1}, {"f", 1}, {"a", 1}, {"b", 1}}));
    EXPECT_EQ(found.turn, "b");
  }
}

TEST_F(ScheduleTurns, PausedAndEndedOnesAreNoTurn) {
  make("ended", 2'000, "NULL");
  make("paused", 2'000, "now()");
  owner_.script("UPDATE postern.schedule SET paused = true WHERE tenant = 'paused'");
  make("victim", 1'000, "now()");
  EXPECT_EQ(count(due()), (Counts{{"victim", 500}}));
}

// How many schedules another tenant has, and what the planner knows.
struct Crowd {
  int size;
  const char* next_at;
  bool analyzed;
};
class ScheduleTurnsPlans : public ScheduleTurns, public ::testing::WithParamInterface<Crowd> {};

INSTANTIATE_TEST_SUITE_P(
    Crowds, ScheduleTurnsPlans,
    ::testing::Values(Crowd{2'000, "now()", false}, Crowd{40'000, "now()", false},
                      Crowd{40'000, "now()", true},
                      Crowd{40'000, "now() - n * interval '1 second'", false},
                      Crowd{40'000, "now() - n * interval '1 second'", true},
                      Crowd{40'000, "now() + n * interval '1 hour'", true},
                      Crowd{40'000, "CASE WHEN n % 2 = 0 THEN now() END", true},
                      Crowd{40'000, "NULL", false}, Crowd{40'000, "NULL", true}));

TEST_P(ScheduleTurnsPlans, ALookReadsWhatItTakes) {
  owner_.script("ALTER TABLE postern.schedule SET (autovacuum_enabled = off)");
  for (int i = 0; i < 20; ++i) make(fmt::format("t{}", i), 2, "now() + interval '1 hour'");
  make("victim", 5, "now()");
  const auto& crowd = GetParam();
  make("attacker", crowd.size, crowd.next_at);
  if (crowd.analyzed) owner_.script("VACUUM ANALYZE postern.schedule");
  for (const int most : {100, 5}) {
    db::Due found;
    const auto read =
        reads_of(scheduler_, "postern.schedule", [&] { found = due({.most = most}); });
    EXPECT_GE(count(found)["victim"], 2);
    EXPECT_EQ(read.scanned, 0);
    // Those of the crowd twice, to see that there is one and to take a share; a few for each
    // tenant.
    EXPECT_LE(read.blocks, 2 * 2 * most + 22 * 10);
  }
  const auto told = reads_of(scheduler_, "postern.schedule",
                             [&] { scheduler_.exec(db::kTick, db::tick_params({100})); });
  EXPECT_EQ(told.scanned, 0);
  EXPECT_LE(told.blocks, 10);
}

}  // namespace
}  // namespace postern::test
