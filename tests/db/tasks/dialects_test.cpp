// What the tables do for the dialects: rules that differ by dialect, phases, TaskMQ's numbers,
// waits for a signal, results of dependencies.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/model/lane.h"
#include "db/engine/claim.h"
#include "db/engine/settle.h"
#include "db/tasks/bulk.h"
#include "db/tasks/tasks.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

constexpr auto kDone = db::Transition::Kind::done;
constexpr auto kWrong = db::Transition::Kind::wrong_state;

class Dialects : public ::testing::Test {
 protected:
  NewTask in_dialect(Dialect dialect, const std::string& queue = "q") {
    auto task = new_task(queue);
    task.spec.dialect = dialect;
    if (dialect == Dialect::taskmq) task.spec.job_id = db::next_job_ids(api_, 1).front();
    return task;
  }
  void settle(const db::Claimed& claimed, State state, Reason reason = Reason::none,
              const std::string& answer = "ok") {
    auto end = db::settlement(claimed, state, reason);
    end.delay = Milliseconds{60'000};
    end.attempt =
        Attempt{claimed.attempt, "success", 200, "", claimed.claimed_at, Milliseconds{3}, answer};
    if (is_finished(state)) end.result = Answer{200, {}, answer, Milliseconds{3}};
    scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, std::vector{end}));
  }
  // A task of that dialect in that state.
  NewTask in_state(Dialect dialect, State state) {
    auto task = in_dialect(dialect);
    if (state == State::delayed) task.delay = std::chrono::hours{1};
    insert(api_, {task});
    switch (state) {
      case State::ready:
      case State::delayed: break;
      case State::active: claim(scheduler_, 1).at(0); break;
      case State::blocked: owner_.script("UPDATE postern.task SET state = 'blocked'"); break;
      case State::completed: settle(claim(scheduler_, 1).at(0), State::completed); break;
      case State::failed:
        settle(claim(scheduler_, 1).at(0), State::failed, Reason::exhausted);
        break;
      case State::cancelled: db::cancel_task(api_, "default", task.spec.id, Uuid{}); break;
    }
    EXPECT_EQ(read(api_, task.spec.id)->state, state);
    return task;
  }
  void empty() { owner_.script("TRUNCATE postern.task; TRUNCATE postern.task_finished"); }
  std::int64_t depth() {
    return owner_.exec({"", "SELECT postern.queue_depth('default', 'q')"}).integer(0, 0);
  }

  Database database_;
  db::PgConnection api_ = database_.connect("postern_api");
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  db::PgConnection owner_ = database_.connect();
};

// What may be deleted and retried, by the rules that are asked for or the task's own.
TEST_F(Dialects, SayWhatMayBeDeletedAndRetried) {
  struct Case {
    Dialect rules;
    State state;
    db::Transition::Kind remove, retry;
  };
  constexpr Case kCases[] = {
      {Dialect::native, State::ready, kDone, kWrong},
      {Dialect::native, State::active, kWrong, kWrong},
      {Dialect::native, State::completed, kWrong, kDone},
      {Dialect::asyncqueue, State::delayed, kDone, kWrong},
      {Dialect::asyncqueue, State::completed, kWrong, kDone},
      {Dialect::taskmq, State::ready, kDone, kWrong},
      {Dialect::taskmq, State::completed, kWrong, kWrong},
      {Dialect::taskmq, State::failed, kWrong, kDone},
      {Dialect::taskmq, State::cancelled, kWrong, kDone},
      {Dialect::asyncjobs, State::ready, kDone, kDone},
      {Dialect::asyncjobs, State::delayed, kDone, kDone},
      {Dialect::asyncjobs, State::blocked, kDone, kDone},
      {Dialect::asyncjobs, State::active, kDone, kWrong},
      {Dialect::asyncjobs, State::completed, kDone, kDone},
      {Dialect::asyncjobs, State::failed, kDone, kDone},
  };
  for (const Case& c : kCases) {
    for (const bool own : {true, false}) {
      const Dialect made_in = own ? c.rules : Dialect::native;
      const db::Rules rules = own ? std::nullopt : db::Rules(c.rules);
      const auto what = [&] {
        return std::string(name(c.rules)) + " " + std::string(name(c.state));
      };
      const auto kept = in_state(made_in, c.state).spec.id;
      EXPECT_EQ(db::retry_task(api_, "default", kept, Uuid{}, rules).kind, c.retry) << what();
      empty();
      const auto gone = in_state(made_in, c.state).spec.id;
      EXPECT_EQ(db::delete_task(api_, "default", gone, Uuid{}, rules).kind, c.remove) << what();
      EXPECT_EQ(read(api_, gone).has_value(), c.remove != kDone) << what();
      empty();
    }
  }
}

TEST_F(Dialects, ARetryOfWhatWaitsStartsItAtOnce) {
  const auto task = in_state(Dialect::asyncjobs, State::delayed);
  ASSERT_EQ(db::retry_task(api_, "default", task.spec.id, Uuid{}).kind, kDone);
  EXPECT_EQ(claim(scheduler_, 1).at(0).spec.id, task.spec.id);
}

// One that was cancelled before its time.
TEST_F(Dialects, ARetryStartsAtOnceOrKeepsTheTime) {
  constexpr db::Rules kOwn = std::nullopt;
  for (const auto& [made_in, rules, state] : {std::tuple{Dialect::taskmq, kOwn, State::delayed},
                                              {Dialect::native, Dialect::taskmq, State::delayed},
                                              {Dialect::taskmq, Dialect::native, State::ready},
                                              {Dialect::native, kOwn, State::ready},
                                              {Dialect::asyncjobs, kOwn, State::ready}}) {
    for (const bool in_bulk : {false, true}) {
      const auto id = in_state(made_in, State::delayed).spec.id;
      const Time due = read(api_, id)->run_at;
      ASSERT_EQ(db::cancel_task(api_, "default", id, Uuid{}).kind, kDone);
      const std::vector ids{id};
      in_bulk ? db::transit_each(api_, db::BulkVerb::retry, "default", ids, Uuid{}, rules).at(0)
              : db::retry_task(api_, "default", id, Uuid{}, rules);
      EXPECT_EQ(read(api_, id)->state, state) << name(made_in) << in_bulk;
      EXPECT_EQ(read(api_, id)->run_at == due, state == State::delayed) << name(made_in);
      empty();
    }
  }
}

TEST_F(Dialects, ARetryByAFilterKeepsTheTimeToo) {
  const auto id = in_state(Dialect::taskmq, State::delayed).spec.id;
  db::cancel_task(api_, "default", id, Uuid{});
  db::TaskFilter filter;
  filter.states = {State::cancelled};
  EXPECT_EQ(db::sweep(api_, db::BulkVerb::retry, "default", filter, std::nullopt, Uuid{}, 500).done,
            1);
  EXPECT_EQ(read(api_, id)->state, State::delayed);
}

TEST_F(Dialects, ATimeThatHasPassedIsNotKept) {
  const auto id = in_state(Dialect::taskmq, State::delayed).spec.id;
  db::cancel_task(api_, "default", id, Uuid{});
  owner_.script("UPDATE postern.task_finished SET run_at = now() - interval '1 hour'");
  ASSERT_EQ(db::retry_task(api_, "default", id, Uuid{}).kind, kDone);
  EXPECT_EQ(claim(scheduler_, 1).at(0).spec.id, id);
}

// The depth of a queue and the number of tasks are told by counters.
TEST_F(Dialects, ADeletedTaskIsCountedOutWhateverStateItWasIn) {
  for (const State state : {State::ready, State::active, State::completed}) {
    const auto before = db::totals(api_, "default").tasks;
    const auto task = in_state(Dialect::asyncjobs, state);
    db::delete_task(api_, "default", task.spec.id, Uuid{});
    EXPECT_EQ(db::totals(api_, "default").tasks, before) << name(state);
    EXPECT_EQ(depth(), 0) << name(state);
  }
}

TEST_F(Dialects, TheEndOfADeletedTaskIsHeardByNobody) {
  auto task = in_dialect(Dialect::asyncjobs);
  insert(api_, {task});
  const auto claimed = claim(scheduler_, 1).at(0);
  ASSERT_EQ(db::delete_task(api_, "default", task.spec.id, Uuid{}).kind, kDone);
  settle(claimed, State::completed);
  EXPECT_FALSE(read(api_, task.spec.id));
}

TEST_F(Dialects, ADeletedTasksIdempotencyKeyIsFree) {
  auto task = in_dialect(Dialect::asyncjobs);
  task.spec.idempotency_key = "k";
  task.request_hash = std::string(32, 'h');
  const std::vector<db::Insertion> batch{{&task, lane_of(task)}};
  db::insert_keyed_tasks(api_, Uuid{}, batch, Seconds{600});
  settle(claim(scheduler_, 1).at(0), State::completed);
  db::delete_task(api_, "default", task.spec.id, Uuid{});
  auto again = in_dialect(Dialect::asyncjobs);
  again.spec.idempotency_key = "k";
  again.request_hash = task.request_hash;
  const std::vector<db::Insertion> second{{&again, lane_of(again)}};
  EXPECT_EQ(db::insert_keyed_tasks(api_, Uuid{}, second, Seconds{600}).results.at(0).kind,
            db::KeyedResult::Kind::created);
}

TEST_F(Dialects, ATaskIsFoundByItsNumberWhileItLivesAndAfter) {
  const auto task = in_dialect(Dialect::taskmq);
  insert(api_, {task});
  EXPECT_EQ(read(api_, task.spec.id)->spec.job_id, task.spec.job_id);
  EXPECT_EQ(db::task_of_job(api_, "default", *task.spec.job_id), task.spec.id);
  EXPECT_EQ(db::task_of_job(api_, "acme", *task.spec.job_id), std::nullopt);
  settle(claim(scheduler_, 1).at(0), State::completed);
  EXPECT_EQ(db::task_of_job(api_, "default", *task.spec.job_id), task.spec.id);
  EXPECT_EQ(db::task_of_job(api_, "default", *task.spec.job_id + 1), std::nullopt);
}

// Phases are told apart twice, in core for a task and in SQL for a filter: here both see the same.
TEST_F(Dialects, AFilterSeesThePhaseThatCoreSees) {
  std::map<Phase, TaskId> made;
  const auto add = [&](auto&& change) {
    auto task = in_dialect(Dialect::asyncqueue);
    change(task);
    insert(api_, {task});
    return task.spec.id;
  };
  const auto touch = [&](const TaskId& id, const std::string& what) {
    owner_.script(
        ("UPDATE postern.task SET " + what + " WHERE id = '" + to_uuid(id) + "'").c_str());
  };
  const auto plain = [&] { return add([](NewTask&) {}); };
  made[Phase::pending] = plain();
  made[Phase::delayed] = add([](NewTask& task) { task.delay = std::chrono::hours{1}; });
  touch(made[Phase::blocked] = plain(), "state = 'blocked'");
  touch(made[Phase::retry] = plain(), "attempt = 1");
  const auto defer = [&](const TaskId& id) {
    owner_.script(
        ("INSERT INTO postern.lease (task, lease, until, deferred, tenant, queue) SELECT id, "
         "gen_random_uuid(), now(), true, tenant, queue FROM postern.task WHERE id = '" +
         to_uuid(id) + "'")
            .c_str());
  };
  defer(made[Phase::active] = plain());
  defer(made[Phase::waiting] = add([](NewTask& task) { task.spec.hold = Seconds{60}; }));
  for (int phase = static_cast<int>(Phase::completed); phase <= static_cast<int>(kAllPhases.back());
       ++phase) {
    const auto each = static_cast<Phase>(phase);
    const bool completed = each == Phase::completed;
    const bool by_client = each == Phase::cancelled || each == Phase::queue_purged ||
                           each == Phase::queue_deleted || each == Phase::discarded;
    made[each] = plain();
    const std::string state = completed ? "completed" : by_client ? "cancelled" : "failed";
    owner_.script(("SELECT postern.finish(t, gen_random_uuid(), '" + state + "', '" +
                   (completed ? "" : std::string(name(each))) +
                   "', NULL) FROM postern.task t WHERE id = '" + to_uuid(made[each]) + "'")
                      .c_str());
  }
  for (const auto& [phase, id] : made) {
    EXPECT_EQ(phase_of(*read(api_, id)), phase) << name(phase);
    db::TaskFilter filter;
    filter.phases = {phase};
    const auto page = db::list_tasks(api_, "default", filter);
    ASSERT_EQ(page.tasks.size(), 1U) << name(phase);
    EXPECT_EQ(page.tasks[0].spec.id, id) << name(phase);
    EXPECT_EQ(page.total, 1) << name(phase);
  }
}

TEST_F(Dialects, AListMayBeginWithTheOldestAndGoOnFromAnyPlace) {
  std::vector<TaskId> ids;
  for (int i = 0; i < 7; ++i) {
    auto task = new_task(i % 2 == 0 ? "even" : "odd");
    task.spec.id.bytes[5] = static_cast<std::uint8_t>(i);
    insert(api_, {task});
    ids.push_back(task.spec.id);
  }
  std::sort(ids.begin(), ids.end());
  std::vector<TaskId> listed;
  db::TaskFilter filter;
  filter.oldest_first = true;
  filter.limit = 3;
  for (;;) {
    const auto page = db::list_tasks(api_, "default", filter);
    for (const auto& task : page.tasks) listed.push_back(task.spec.id);
    if (!page.next) break;
    filter.before = listed.back();
  }
  EXPECT_EQ(listed, ids);
}

TEST_F(Dialects, AListMayBeOfOneEndpoint) {
  auto mail = in_dialect(Dialect::asyncjobs), other = in_dialect(Dialect::asyncjobs);
  mail.spec.url.clear();
  mail.spec.endpoint = "email:new";
  other.spec.url.clear();
  other.spec.endpoint = "email";
  insert(api_, {mail});
  insert(api_, {other});
  db::TaskFilter filter;
  filter.endpoint = "email";
  const auto page = db::list_tasks(api_, "default", filter);
  ASSERT_EQ(page.tasks.size(), 1U);
  EXPECT_EQ(page.tasks[0].spec.id, other.spec.id);
}

// A row is written anew with each attempt, so it must not grow for ever.
TEST_F(Dialects, TheLastHundredAttemptsAreKept) {
  auto task = new_task();
  task.spec.max_attempts = 1000;
  insert(api_, {task});
  for (int i = 1; i <= 103; ++i) {
    settle(claim(scheduler_, 1).at(0), State::delayed);
    owner_.script("UPDATE postern.task SET state = 'ready', run_at = now()");
  }
  const auto kept = owner_.exec(
      {"",
       "SELECT json_array_length(attempts), (attempts->0->>'number')::integer FROM postern.task"});
  EXPECT_EQ(kept.integer(0, 0), 100);
  EXPECT_EQ(kept.integer(0, 1), 4);
}

TEST_F(Dialects, AClaimBringsTheResultsThatATaskAsksFor) {
  const auto first = in_state(Dialect::asyncjobs, State::completed);
  auto next = in_dialect(Dialect::asyncjobs), other = next;
  next.spec.dependencies = {first.spec.id};
  next.spec.load_results = true;
  other.spec.id = new_task().spec.id;
  other.spec.dependencies = {first.spec.id};
  insert(api_, {next});
  insert(api_, {other});
  owner_.script("UPDATE postern.task SET state = 'ready'");
  for (const auto& claimed : claim(scheduler_, 2)) {
    if (claimed.spec.id == other.spec.id) {
      EXPECT_TRUE(claimed.results.empty());
      continue;
    }
    ASSERT_EQ(claimed.results.size(), 1U);
    EXPECT_EQ(claimed.results[0].task, first.spec.id);
    EXPECT_EQ(claimed.results[0].body, "ok");
    EXPECT_EQ(claimed.results[0].completed_at, *read(api_, first.spec.id)->finished_at);
  }
}

// So many results of 16 KiB each would be a statement that never ends, and all of memory.
TEST_F(Dialects, OneClaimBringsAFewHundredResultsAndTheRestOfTheLaneIsNotForgotten) {
  const auto first = in_state(Dialect::asyncjobs, State::completed);
  std::vector<NewTask> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(in_dialect(Dialect::asyncjobs));
    tasks.back().spec.dependencies.assign(100, first.spec.id);
    tasks.back().spec.load_results = true;
  }
  insert(api_, tasks);
  auto of_none = in_dialect(Dialect::asyncjobs);
  of_none.spec.load_results = true;
  insert(api_, {of_none});
  owner_.script("UPDATE postern.task SET state = 'ready'");
  const auto lane = lane_id("default", "q", "receiver.test");
  const auto claim_ten = [&] {
    const Uuid lease = random_uuid();
    const db::LaneSlots slots{lane, 10};
    return db::claimed_from(
        scheduler_.exec(db::kClaim,
                        db::claim_params(std::span(&slots, 1), lease, Uuid{}, Seconds{10})),
        lease, Seconds{10});
  };
  const auto some = claim_ten();
  EXPECT_EQ(some.tasks.size(), 3U);
  ASSERT_EQ(some.held.size(), 1U);
  EXPECT_EQ(some.held[0].lane, lane);
  EXPECT_FALSE(some.held[0].full_up);
  const auto rest = claim_ten();
  EXPECT_EQ(rest.tasks.size(), 2U);
  EXPECT_TRUE(rest.held.empty());
  for (const auto& claimed : some.tasks) {
    EXPECT_EQ(claimed.results.size(), claimed.spec.dependencies.size());
  }
}

// Whoever made the row of their queue, and whether or not it is paused.
TEST_F(Dialects, TasksOfSandboxKeysAreNeverClaimed) {
  insert(api_, {new_task("aq_test")});
  EXPECT_TRUE(claim(scheduler_, 1, "aq_test").empty());
  owner_.script("INSERT INTO postern.queue (tenant, name) VALUES ('default', 'aq_test')");
  EXPECT_TRUE(claim(scheduler_, 1, "aq_test").empty());
}

// asyncjobs knows no timeout of an attempt but its queue's max_runtime.
TEST_F(Dialects, AnAsyncjobsTaskMayTakeAsLongAsItsQueueLetsIt) {
  owner_.script(
      R"sql(INSERT INTO postern.endpoint (tenant, name, url) VALUES ('default', 'email', 'http://receiver.test/'))sql");
  const auto timeout_of = [&](const char* queue) {
    owner_.script(queue);
    auto task = in_dialect(Dialect::asyncjobs);
    task.spec.url.clear();
    task.spec.endpoint = "email";
    task.spec.timeout = Milliseconds{0};
    insert(api_, {task});
    const std::vector<db::LaneSlots> lanes{{lane_of(task), 1}};
    const auto lease = random_uuid();
    const auto claimed = db::claimed_from(
        scheduler_.exec(db::kClaim, db::claim_params(lanes, lease, Uuid{}, Seconds{30})), lease,
        Seconds{30});
    return claimed.tasks.at(0).spec.timeout;
  };
  EXPECT_EQ(timeout_of("INSERT INTO postern.queue (tenant, name) VALUES ('default', 'q')"),
            std::chrono::hours{1});
  EXPECT_EQ(timeout_of("UPDATE postern.queue SET max_runtime = '2 minutes'"),
            std::chrono::minutes{2});
  EXPECT_EQ(timeout_of("UPDATE postern.endpoint SET timeout_ms = 5000"), Seconds{5});
}

}  // namespace
}  // namespace postern::test
