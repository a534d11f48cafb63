// Firing: each occurrence once, whoever tries and however often, and what goes with it.
#include "db/engine/occurrences.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "db/catalog/schedules.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Occurrences : public ::testing::Test {
 protected:
  // A schedule that was due a second ago, every minute.
  void make(const std::string& name, const std::string& more = "") {
    owner_.script(
        "INSERT INTO postern.schedule (tenant, name, spec, queue, task, next_at) VALUES "
        "('default', '" +
        name + "', '* * * * *', 'q', '{\"queue\":\"q\",\"url\":\"http://receiver.test/\"}', " +
        "date_trunc('second', now()) - interval '1 second');" + more);
  }

  static db::Due due(db::PgConnection& connection) {
    return db::due_from(connection.exec(db::kDueSchedules, db::due_schedules_params()));
  }

  // Every schedule that is due, with one task each.
  static std::vector<db::Firing> plan(const db::Due& due) {
    std::vector<db::Firing> out;
    for (const auto& each : due.schedules) {
      const NewTask task = new_task(each.schedule.task.queue);
      db::Firing firing;
      firing.tenant = each.tenant;
      firing.name = each.schedule.name;
      firing.queue = each.schedule.task.queue;
      firing.read_next_at = *each.schedule.next_at;
      firing.read_updated_at = each.schedule.updated_at;
      firing.next_at = due.now + Seconds{3600};
      firing.last_at = firing.read_next_at;
      firing.queue_bounded = each.queue && each.queue->bounded;
      firing.queue_missing = !each.queue;
      firing.occurrences.push_back({firing.read_next_at, task, lane_of(task), {}});
      out.push_back(std::move(firing));
    }
    return out;
  }

  static db::Fired fire(db::PgConnection& connection, const std::vector<db::Firing>& firings,
                        const Uuid& instance = random_uuid()) {
    return db::fired_from(connection.exec(db::kFire, db::fire_params(instance, firings)));
  }

  std::int64_t count(const std::string& sql) {
    return owner_.exec({"", sql.c_str()}).integer(0, 0);
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Occurrences, AreDueWhenTheirTimeHasComeAndTheScheduleIsNotPaused) {
  make("a");
  make("later",
       "UPDATE postern.schedule SET next_at = now() + interval '1 hour' WHERE name = 'later'");
  make("paused", "UPDATE postern.schedule SET paused = true WHERE name = 'paused'");
  make("over", "UPDATE postern.schedule SET next_at = NULL WHERE name = 'over'");
  const auto found = due(scheduler_);
  ASSERT_EQ(found.schedules.size(), 1u);
  EXPECT_EQ(found.schedules[0].schedule.name, "a");
  EXPECT_EQ(found.schedules[0].schedule.task.url, "http://receiver.test/");
  EXPECT_FALSE(found.schedules[0].queue);
  EXPECT_FALSE(found.paused);
  owner_.script("INSERT INTO postern.setting VALUES ('paused', 'true')");
  EXPECT_TRUE(due(scheduler_).paused);
}

TEST_F(Occurrences, ARowThatCannotBeReadStopsNoOther) {
  make("bad", "UPDATE postern.schedule SET task = 'nonsense' WHERE name = 'bad'");
  make("good");
  const auto found = due(scheduler_);
  ASSERT_EQ(found.schedules.size(), 2u);
  EXPECT_NE(found.schedules[0].schedule.unreadable, "");
  EXPECT_EQ(found.schedules[0].schedule.name, "bad");
  EXPECT_EQ(found.schedules[0].schedule.task.queue, "q");
  EXPECT_EQ(found.schedules[1].schedule.unreadable, "");
}

TEST_F(Occurrences, AFiringMovesTheScheduleRecordsTheRunAndMakesTheTaskAndItsQueue) {
  make("a");
  const auto firings = plan(due(scheduler_));
  const auto fired = fire(scheduler_, firings);
  EXPECT_EQ(fired.schedules, 1);
  EXPECT_EQ(fired.tasks, 1);
  const auto a = db::get_schedule(owner_, "default", "a").value();
  EXPECT_EQ(a.next_at, firings[0].next_at);
  EXPECT_EQ(a.last_at, firings[0].read_next_at);
  const TaskId id = firings[0].occurrences[0].task->spec.id;
  const auto runs = db::schedule_runs(owner_, "default", "a", std::nullopt, 10);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].nominal, firings[0].read_next_at);
  EXPECT_EQ(runs[0].task, id);
  EXPECT_EQ(read(owner_, id)->state, State::ready);
  EXPECT_EQ(counter(owner_, "created"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue WHERE name = 'q'"), 1);
}

TEST_F(Occurrences, FireOnceHoweverManyPlannedThem) {
  for (int i = 0; i < 200; ++i) make("s" + std::to_string(i));
  constexpr int kSchedulers = 4;
  std::vector<std::thread> threads;
  std::array<db::Fired, kSchedulers> fired{};
  for (int i = 0; i < kSchedulers; ++i) {
    threads.emplace_back([this, i, &fired] {
      auto connection = database_.connect("postern_scheduler");
      const auto firings = plan(due(connection));
      fired[static_cast<std::size_t>(i)] = fire(connection, firings);
    });
  }
  for (auto& thread : threads) thread.join();
  // Whoever found rows locked left them alone; the next look takes what is left, if anything is.
  const auto rest = fire(scheduler_, plan(due(scheduler_)));
  std::int64_t tasks = rest.tasks;
  for (const auto& each : fired) tasks += each.tasks;
  EXPECT_EQ(tasks, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run"), 200);
  EXPECT_EQ(counter(owner_, "created"), 200);
}

TEST_F(Occurrences, TwoPlansOfOneTimeFireOnce) {
  make("a");
  const auto seen = due(scheduler_);
  const auto first = plan(seen), second = plan(seen);
  EXPECT_EQ(fire(scheduler_, first).tasks, 1);
  EXPECT_EQ(fire(scheduler_, second).tasks, 0);
  // Not even when next_at is set back.
  owner_.exec({"", "UPDATE postern.schedule SET next_at = $1"},
              db::Params().time(first[0].read_next_at));
  const auto again = fire(scheduler_, second);
  EXPECT_EQ(again.schedules, 1);
  EXPECT_EQ(again.tasks, 0);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1);
}

TEST_F(Occurrences, WhoeverChangedTheScheduleMeanwhileWins) {
  for (const char* change : {"UPDATE postern.schedule SET updated_at = now()",
                             "UPDATE postern.schedule SET paused = true",
                             "UPDATE postern.schedule SET next_at = next_at + interval '1 hour'",
                             "DELETE FROM postern.schedule"}) {
    owner_.script("DELETE FROM postern.schedule");
    make("a");
    const auto firings = plan(due(scheduler_));
    owner_.script(change);
    const auto fired = fire(scheduler_, firings);
    EXPECT_EQ(fired.schedules, 0) << change;
    EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run"), 0) << change;
  }
}

TEST_F(Occurrences, ARowInSomebodysHandsIsNotWaitedFor) {
  make("a");
  make("b");
  const auto firings = plan(due(scheduler_));
  auto other = database_.connect();
  db::Transaction transaction(other);
  db::lock_schedule(other, "default", "a");
  EXPECT_EQ(fire(scheduler_, firings).schedules, 1);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run WHERE schedule = 'b'"), 1);
}

TEST_F(Occurrences, SkippedOnesAreRecordedWithTheReasonAndMissedOnesCounted) {
  make("a");
  auto firings = plan(due(scheduler_));
  firings[0].occurrences[0] = {firings[0].read_next_at, std::nullopt, 0, "missed"};
  firings[0].missed = 7;
  const auto fired = fire(scheduler_, firings);
  EXPECT_EQ(fired.tasks, 0);
  EXPECT_EQ(fired.missed, 7);
  EXPECT_EQ(counter(owner_, "schedule_missed"), 7);
  const auto runs = db::schedule_runs(owner_, "default", "a", std::nullopt, 10);
  EXPECT_EQ(runs.at(0).skipped, "missed");
  EXPECT_FALSE(runs.at(0).task);
}

TEST_F(Occurrences, AFullQueueTakesNoMore) {
  owner_.script("INSERT INTO postern.queue (tenant, name, max_entries) VALUES ('default', 'q', 2)");
  for (const char* name : {"a", "b", "c"}) make(name);
  EXPECT_EQ(fire(scheduler_, plan(due(scheduler_))).tasks, 2);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run WHERE skipped = 'queue_full' AND task "
                  "IS NULL"),
            1);
}

TEST_F(Occurrences, OverlapIsWhetherTheTaskOfTheLastRunIsLive) {
  make("a", "UPDATE postern.schedule SET overlap = 'skip'");
  const auto firings = plan(due(scheduler_));
  fire(scheduler_, firings);
  const auto set_back = [&] {
    owner_.script("UPDATE postern.schedule SET next_at = now() - interval '1 second'");
  };
  set_back();
  EXPECT_TRUE(due(scheduler_).schedules.at(0).overlaps);
  db::cancel_task(owner_, "default", firings[0].occurrences[0].task->spec.id, Uuid{});
  EXPECT_FALSE(due(scheduler_).schedules.at(0).overlaps);
}

TEST_F(Occurrences, OldRunsAreForgottenButForTheLatest) {
  make("a", R"sql(
    INSERT INTO postern.schedule_run (tenant, schedule, nominal_time, fired_at, skipped)
    SELECT 'default', s, t, t, 'missed' FROM unnest(ARRAY['a', 'b']) s,
           unnest(ARRAY[now() - interval '40 days', now() - interval '31 days']) t;
    INSERT INTO postern.schedule_run (tenant, schedule, nominal_time, skipped)
    VALUES ('default', 'b', now(), 'missed'))sql");
  EXPECT_EQ(scheduler_.exec(db::kForgetRuns, db::forget_runs_params()).affected(), 3);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run WHERE schedule = 'a'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run WHERE schedule = 'b'"), 1);
}

}  // namespace
}  // namespace postern::test
