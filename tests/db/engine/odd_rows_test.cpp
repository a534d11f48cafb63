// Rows that no program of ours writes, read among others: they are shown or set aside, and hide
// none. The constraints that keep them out are taken away first.
#include <gtest/gtest.h>

#include <algorithm>

#include "db/catalog/queues.h"
#include "db/catalog/schedules.h"
#include "db/engine/orphans.h"
#include "db/engine/routing.h"
#include "db/engine/sequels.h"
#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class OddRows : public ::testing::Test {
 protected:
  OddRows() {
    owner_.script(
        "ALTER TABLE postern.task DROP CONSTRAINT task_ranges;"
        "ALTER TABLE postern.task DROP CONSTRAINT task_dialect_known");
  }
  std::vector<NewTask> insert_five() {
    std::vector<NewTask> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(new_task());
    insert(owner_, tasks);
    return tasks;
  }
  void change(const NewTask& task, const std::string& set) {
    owner_.exec({"", ("UPDATE postern.task SET " + set + " WHERE id = $1").c_str()},
                db::Params().uuid(task.spec.id));
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(OddRows, AreShownInListsWithWhatCanBeRead) {
  const auto tasks = insert_five();
  change(tasks[0], "dialect = 'nonesuch'");
  change(tasks[1], "body_form = 'odd', attempts = '7'");
  change(tasks[2], "run_at = 'infinity', deadline = '-infinity', created_at = '-infinity'");
  change(tasks[3], "attempt = 2147483647");
  claim(scheduler_, 5);
  db::TaskFilter filter;
  filter.queue = "q";
  const auto page = db::list_tasks(owner_, "default", filter);
  ASSERT_EQ(page.tasks.size(), 5U);
  for (const auto& task : page.tasks) {
    EXPECT_EQ(task.spec.queue, "q");
    EXPECT_EQ(task.spec.url, "http://receiver.test/");
    const bool odd = task.spec.id == tasks[0].spec.id || task.spec.id == tasks[1].spec.id;
    EXPECT_EQ(task.unreadable.empty(), !odd) << task.unreadable;
    EXPECT_EQ(task.last_error, odd ? corrupt_row_error(task.unreadable) : "");
  }
  const auto bounded = *read(owner_, tasks[2].spec.id);
  EXPECT_EQ(bounded.run_at, kLastTime);
  EXPECT_EQ(bounded.spec.deadline, kFirstTime);
}

TEST_F(OddRows, AreRescuedWithTheOthers) {
  const auto tasks = insert_five();
  claim(scheduler_, 5);  // by a scheduler that has no row
  change(tasks[1], "dialect = 'nonesuch'");
  change(tasks[2], "attempt = 2147483647");
  const auto found = db::orphans_from(scheduler_.exec(db::kOrphans, db::orphans_params({}, {})));
  ASSERT_EQ(found.tasks.size(), 5U);
  int odd = 0;
  for (const auto& orphan : found.tasks) {
    if (orphan.task.unreadable.empty()) continue;
    ++odd;
    EXPECT_EQ(orphan.task.spec.id, tasks[1].spec.id);
    EXPECT_NE(orphan.task.unreadable.find("nonesuch"), std::string::npos);
  }
  EXPECT_EQ(odd, 1);
}

TEST_F(OddRows, ThatCameByTheSqlDoorAreRoutedAway) {
  const auto id = owner_.exec({"", "SELECT postern.enqueue('q', 'http://h.test/')"}).uuid(0, 0);
  const auto good = owner_.exec({"", "SELECT postern.enqueue('q', 'http://h.test/')"}).uuid(0, 0);
  owner_.script("UPDATE postern.task SET body_form = 'odd' WHERE id = '" + to_uuid(id) + "'");
  const auto tasks = db::unrouted_from(scheduler_.exec(db::kUnrouted, db::unrouted_params()));
  ASSERT_EQ(tasks.size(), 2U);
  std::vector<db::Routing> routings;
  for (const auto& task : tasks) {
    db::Routing routing{task.spec.id, 7, task.spec.url, "default", "q", {}};
    if (!task.unreadable.empty()) {
      routing.invalid = task.last_error;
      routing.reason = Reason::corrupt_row;
    }
    routings.push_back(routing);
  }
  scheduler_.exec(db::kRoute, db::route_params(Uuid{}, routings));
  EXPECT_EQ(read(owner_, id)->reason, Reason::corrupt_row);
  EXPECT_EQ(read(owner_, good)->state, State::ready);
}

TEST_F(OddRows, AreFollowedLikeOthers) {
  auto tasks = insert_five();
  change(tasks[0], "on_failure_url = 'http://h.test/'");
  owner_.script(
      "WITH gone AS (DELETE FROM postern.task RETURNING *) "
      "INSERT INTO postern.task_finished (id, tenant, queue, url, on_failure_url, state, reason, "
      "finished_at, attempts, dialect) SELECT id, tenant, queue, url, on_failure_url, 'failed', "
      "'odd', now(), '{}', 'native' FROM gone;"
      "INSERT INTO postern.sequel (task, tenant, queue, callback) "
      "SELECT id, tenant, queue, on_failure_url IS NOT NULL FROM postern.task_finished");
  const auto sequels =
      db::sequels_from(scheduler_.exec(db::kSequels, db::sequels_params())).sequels;
  ASSERT_EQ(sequels.size(), 5U);
  EXPECT_EQ(std::count_if(sequels.begin(), sequels.end(),
                          [](const auto& sequel) { return sequel.ended.has_value(); }),
            1);
  const auto task = *read(owner_, tasks[0].spec.id);
  EXPECT_EQ(task.state, State::failed);
  EXPECT_EQ(task.reason, Reason::corrupt_row);
}

TEST_F(OddRows, AreSetAsideByWhoHoldsTheirLeaseAlone) {
  const auto tasks = insert_five();
  const auto claimed = claim(scheduler_, 5);
  const auto set_aside = [&](const Uuid& lease) {
    return db::set_aside_from(scheduler_.exec(
        db::kSetAside, db::set_aside_params(Uuid{}, claimed[0].spec.id, lease, "why")));
  };
  EXPECT_FALSE(set_aside(random_uuid()));
  EXPECT_EQ(read(owner_, claimed[0].spec.id)->state, State::active);
  EXPECT_TRUE(set_aside(claimed[0].lease));
  EXPECT_FALSE(set_aside(claimed[0].lease));
  const auto task = *read(owner_, claimed[0].spec.id);
  EXPECT_EQ(task.state, State::failed);
  EXPECT_EQ(task.reason, Reason::corrupt_row);
  EXPECT_EQ(task.last_error, "why");
  EXPECT_EQ(task.spec.body, tasks[0].spec.body);
  EXPECT_EQ(counter(owner_, "corrupt_rows"), 1);
  EXPECT_EQ(counter(owner_, "finished_failed"), 1);
}

TEST_F(OddRows, OfSchedulesAreShownWithTheirFault) {
  owner_.script(
      "ALTER TABLE postern.schedule DROP CONSTRAINT schedule_misfire_known;"
      "ALTER TABLE postern.schedule DROP CONSTRAINT schedule_times_range;"
      "INSERT INTO postern.schedule (tenant, name, spec, queue, task, misfire, next_at, timezone) "
      "SELECT 'default', n, s, 'q', t, m, now(), z FROM (VALUES "
      "('bad-task', '@daily', 'no JSON', 'last', 'UTC'), ('fine', '@daily', "
      "'{\"queue\":\"q\",\"url\":\"http://h.test/\"}', 'last', 'UTC'), "
      "('misfire', '@daily', '{\"url\":\"http://h.test/\"}', 'odd', 'UTC'), "
      "('spec', 'never', '{\"url\":\"http://h.test/\"}', 'last', 'UTC'), "
      "('zone', '@daily', '{\"url\":\"http://h.test/\"}', 'last', 'Mars/Phobos')"
      ") v(n, s, t, m, z);"
      "UPDATE postern.schedule SET last_at = 'infinity', next_at = '-infinity' WHERE name = "
      "'spec'");
  const auto found = db::list_schedules(owner_, "default", "", "", 10);
  ASSERT_EQ(found.size(), 5U);
  for (const auto& schedule : found) {
    EXPECT_EQ(schedule.task.queue, "q");
    EXPECT_EQ(schedule.error.empty(), schedule.name == "fine")
        << schedule.name << ": " << schedule.error;
  }
  EXPECT_EQ(found[3].last_at, kLastTime);
}

TEST_F(OddRows, OfQueuesAreShown) {
  owner_.script(
      "ALTER TABLE postern.queue DROP CONSTRAINT queue_ranges;"
      "ALTER TABLE postern.queue DROP CONSTRAINT queue_rate_range;"
      "INSERT INTO postern.queue (tenant, name, max_age, max_runtime, rate_count, rate_period, "
      "retry_policy) VALUES ('default', 'odd', '178000000 years', '178000000 years', 1, "
      "'178000000 years', '{')");
  EXPECT_TRUE(db::get_queue(owner_, "default", "odd"));
}

}  // namespace
}  // namespace postern::test
