#include "db/tasks/tasks.h"

#include <gtest/gtest.h>

#include <thread>

#include "db/engine/settle.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Tasks : public ::testing::Test {
 protected:
  Database database_;
  db::PgConnection connection_ = database_.connect("postern_api");
};

using InsertTasks = Tasks;

TEST_F(InsertTasks, EveryFieldComesBackAsItWent) {
  auto task = new_task("emails");
  auto& spec = task.spec;
  spec.method = "PUT";
  spec.headers = {{"X-One", "1"}, {"X-Two", "ä\t\"quoted\""}};
  spec.body = std::string("{\"z\":1e2,\"a\":\"\\u0000\",\"z\":2}\xff\0", 30);
  spec.body_form = BodyForm::raw;
  spec.content_type = "application/x-thing";
  spec.priority = 100;
  spec.max_attempts = 7;
  spec.retry_policy = R"({"intervals":[1,2],"jitter":0.5})";
  spec.timeout = Milliseconds{12'345};
  spec.deadline = *parse_rfc3339("2099-01-02T03:04:05.678901Z");
  spec.key = "order-7";
  spec.tags = {"a", "b,\"c\"", "{}"};
  spec.dependencies = {new_task().spec.id};
  spec.on_complete_url = "http://done.test/";
  spec.on_failure_url = "http://failed.test/";
  spec.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  spec.extra = R"({"delay":5})";
  spec.idempotency_key = "k";
  const auto now = insert(connection_, {task});

  const auto back = read(connection_, spec.id);
  ASSERT_TRUE(back);
  const auto& got = back->spec;
  EXPECT_EQ(got.id, spec.id);
  EXPECT_EQ(got.tenant, "default");
  EXPECT_EQ(got.queue, "emails");
  EXPECT_EQ(got.method, "PUT");
  EXPECT_EQ(got.url, spec.url);
  EXPECT_EQ(got.headers, spec.headers);
  EXPECT_EQ(got.body, spec.body);
  EXPECT_EQ(got.body_form, BodyForm::raw);
  EXPECT_EQ(got.content_type, spec.content_type);
  EXPECT_EQ(got.priority, 100);
  EXPECT_EQ(got.max_attempts, 7);
  EXPECT_EQ(got.retry_policy, spec.retry_policy);
  EXPECT_EQ(got.timeout, spec.timeout);
  EXPECT_EQ(got.deadline, spec.deadline);
  EXPECT_EQ(got.key, spec.key);
  EXPECT_EQ(got.tags, spec.tags);
  EXPECT_EQ(got.dependencies, spec.dependencies);
  EXPECT_EQ(got.on_complete_url, spec.on_complete_url);
  EXPECT_EQ(got.on_failure_url, spec.on_failure_url);
  EXPECT_EQ(got.traceparent, spec.traceparent);
  EXPECT_EQ(got.extra, spec.extra);
  EXPECT_EQ(got.idempotency_key, "k");
  EXPECT_EQ(back->state, State::blocked);  // until somebody has looked at what it waits for
  EXPECT_EQ(back->created_at, now);
  EXPECT_EQ(back->attempts, "[]");
  EXPECT_FALSE(back->result);
}

TEST_F(InsertTasks, TheDatabasesClockDecidesBetweenReadyAndDelayed) {
  auto ready = new_task(), later = new_task(), past = new_task(), future = new_task();
  later.delay = std::chrono::seconds{60};
  past.run_at = *parse_rfc3339("2001-01-01T00:00:00Z");
  past.delay = std::chrono::seconds{60};  // run_at wins
  future.run_at = *parse_rfc3339("2099-01-01T00:00:00Z");
  const auto now = insert(connection_, {ready, later, past, future});
  for (const auto& [task, state] : {std::pair{ready, State::ready},
                                    {later, State::delayed},
                                    {past, State::ready},
                                    {future, State::delayed}}) {
    const auto back = *read(connection_, task.spec.id);
    EXPECT_EQ(back.state, state);
    // What the creator is told at once is what a reader sees later.
    const auto told = db::created_task(task, now);
    EXPECT_EQ(told.state, back.state);
    EXPECT_EQ(told.run_at, back.run_at);
    EXPECT_EQ(told.created_at, back.created_at);
  }
  EXPECT_EQ(read(connection_, later.spec.id)->run_at, now + std::chrono::seconds{60});
}

TEST_F(InsertTasks, AreCountedInTheSameTransaction) {
  insert(connection_, {new_task("a"), new_task("a"), new_task("b")});
  insert(connection_, {new_task("a")});
  EXPECT_EQ(counter(connection_, "created"), 4);
  EXPECT_EQ(
      connection_.exec({"", "SELECT value FROM postern.counter WHERE queue = 'a'"}).integer(0, 0),
      3);
}

TEST_F(InsertTasks, AllOrNothing) {
  auto bad = new_task();
  bad.spec.max_attempts = 0;
  const auto good = new_task();
  EXPECT_THROW(insert(connection_, {good, bad}), db::PgError);
  EXPECT_FALSE(read(connection_, good.spec.id));
  EXPECT_EQ(counter(connection_, "created"), 0);
}

TEST_F(InsertTasks, NotifyOnlyWhenSomethingIsReady) {
  auto listener = database_.connect();
  listener.script("LISTEN postern_ready");
  auto later = new_task();
  later.delay = std::chrono::seconds{60};
  insert(connection_, {later});
  listener.exec({"", "SELECT 1"});
  EXPECT_FALSE(listener.notification());
  const auto ready = new_task();
  insert(connection_, {ready, ready.spec.id == later.spec.id ? later : new_task()});
  listener.exec({"", "SELECT 1"});
  const auto heard = listener.notification();
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->payload, std::to_string(lane_of(ready)));
  EXPECT_FALSE(listener.notification()) << "one per batch";
}

TEST_F(InsertTasks, ManyLanesInOneBatchStillFitANotification) {
  auto listener = database_.connect();
  listener.script("LISTEN postern_ready");
  std::vector<NewTask> tasks;
  for (int i = 0; i < 500; ++i) {
    tasks.push_back(new_task());
    tasks.back().spec.url = "http://host" + std::to_string(i) + ".test/";
  }
  insert(connection_, tasks);
  listener.exec({"", "SELECT 1"});
  const auto heard = listener.notification();
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->payload, "");
}

class KeyedTasks : public Tasks {
 protected:
  static NewTask keyed(const std::string& key, const std::string& hash = "same") {
    auto task = new_task();
    task.spec.idempotency_key = key;
    task.request_hash = hash;
    return task;
  }
  static db::KeyedBatch insert_keyed(db::PgConnection& connection,
                                     const std::vector<NewTask>& tasks,
                                     Seconds window = Seconds{600}) {
    std::vector<db::Insertion> batch;
    for (const auto& task : tasks) batch.push_back({&task, lane_of(task)});
    return db::insert_keyed_tasks(connection, Uuid{}, batch, window);
  }
  std::int64_t rows() {
    return connection_.exec({"", "SELECT count(*) FROM postern.task"}).integer(0, 0);
  }
};

using Kind = db::KeyedResult::Kind;

TEST_F(KeyedTasks, TheSameKeyMakesOneTask) {
  const auto first = keyed("k"), second = keyed("k"), other = keyed("k", "different");
  EXPECT_EQ(insert_keyed(connection_, {first}).results[0].kind, Kind::created);
  const auto replay = insert_keyed(connection_, {second}).results[0];
  EXPECT_EQ(replay.kind, Kind::replayed);
  EXPECT_EQ(replay.task, first.spec.id);
  const auto reused = insert_keyed(connection_, {other}).results[0];
  EXPECT_EQ(reused.kind, Kind::mismatched);
  EXPECT_EQ(reused.task, first.spec.id);
  EXPECT_EQ(rows(), 1);
}

TEST_F(KeyedTasks, WithinOneBatchTheFirstWins) {
  const std::vector<NewTask> tasks{keyed("b"), keyed("a"), keyed("b"), keyed("b", "different")};
  const auto results = insert_keyed(connection_, tasks).results;
  EXPECT_EQ(results[0].kind, Kind::created);
  EXPECT_EQ(results[1].kind, Kind::created);
  EXPECT_EQ(results[2].kind, Kind::replayed);
  EXPECT_EQ(results[2].task, tasks[0].spec.id);
  EXPECT_EQ(results[3].kind, Kind::mismatched);
  EXPECT_EQ(rows(), 2);
}

TEST_F(KeyedTasks, TenantsDoNotShareKeys) {
  database_.connect().script("INSERT INTO postern.tenant VALUES ('acme')");
  auto theirs = keyed("k");
  theirs.spec.tenant = "acme";
  insert_keyed(connection_, {keyed("k")});
  EXPECT_EQ(insert_keyed(connection_, {theirs}).results[0].kind, Kind::created);
}

TEST_F(KeyedTasks, AKeyIsFreeAgainAfterItsWindow) {
  const auto first = keyed("k"), second = keyed("k");
  insert_keyed(connection_, {first});
  database_.connect().script(
      "UPDATE postern.idempotency_key SET expires_at = now() - interval '1 second'");
  const auto again = insert_keyed(connection_, {second}).results[0];
  EXPECT_EQ(again.kind, Kind::created);
  EXPECT_EQ(again.task, second.spec.id);
}

TEST_F(KeyedTasks, AKeyWhoseTaskWasDeletedIsFree) {
  const auto first = keyed("k");
  insert_keyed(connection_, {first});
  db::delete_task(connection_, "default", first.spec.id, Uuid{});
  EXPECT_EQ(insert_keyed(connection_, {keyed("k")}).results[0].kind, Kind::created);
}

TEST_F(KeyedTasks, ManyAtOnceAgreeOnOneTask) {
  constexpr int kThreads = 8;
  std::vector<std::string> ids(kThreads);
  std::atomic<int> created{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        auto connection = database_.connect("postern_api");
        // Opposite orders in different processes must not deadlock.
        auto a = keyed("a"), b = keyed("b");
        const auto batch = i % 2 == 0 ? std::vector{a, b} : std::vector{b, a};
        const auto results = insert_keyed(connection, batch).results;
        for (const auto& result : results) created += result.kind == Kind::created;
        ids[i] = to_uuid(results[i % 2].task);
      });
    }
  }
  EXPECT_EQ(created, 2);
  EXPECT_EQ(rows(), 2);
  for (const auto& id : ids) EXPECT_EQ(id, ids[0]);
}

using ExistingTasks = Tasks;

TEST_F(ExistingTasks, AreFoundLiveAndFinished) {
  const auto live = new_task(), over = new_task(), absent = new_task();
  insert(connection_, {live, over});
  db::cancel_task(connection_, "default", over.spec.id, Uuid{});
  const std::vector<TaskId> asked{live.spec.id, over.spec.id, absent.spec.id};
  const auto found = db::existing_tasks(connection_, asked);
  EXPECT_EQ(found.size(), 2U);
  EXPECT_TRUE(found.contains(to_uuid(live.spec.id)));
  EXPECT_TRUE(found.contains(to_uuid(over.spec.id)));
}

// As the operator's commands ask: by the rules of the task's own dialect.
db::Transition delete_by_own_rules(db::PgConnection& connection, std::string_view tenant,
                                   const TaskId& id, const Uuid& instance) {
  return db::delete_task(connection, tenant, id, instance);
}

db::Transition retry_by_own_rules(db::PgConnection& connection, std::string_view tenant,
                                  const TaskId& id, const Uuid& instance) {
  return db::retry_task(connection, tenant, id, instance);
}

class Transitions : public Tasks {
 protected:
  using Verb = db::Transition (*)(db::PgConnection&, std::string_view, const TaskId&, const Uuid&);
  db::Transition::Kind act(Verb verb, const TaskId& id, std::string_view tenant = "default") {
    return verb(connection_, tenant, id, Uuid{}).kind;
  }
  NewTask in_state(State state) {
    auto task = new_task();
    if (state == State::delayed) task.delay = std::chrono::hours{1};
    insert(connection_, {task});
    if (state == State::active) {
      auto scheduler = database_.connect("postern_scheduler");
      claim(scheduler, 1);
    } else if (state == State::cancelled) {
      db::cancel_task(connection_, "default", task.spec.id, Uuid{});
    } else if (state == State::blocked) {
      database_.connect().script("UPDATE postern.task SET state = 'blocked'");
    }
    EXPECT_EQ(read(connection_, task.spec.id)->state, state);
    return task;
  }
};

constexpr auto kDone = db::Transition::Kind::done;
constexpr auto kWrong = db::Transition::Kind::wrong_state;
constexpr auto kMissing = db::Transition::Kind::missing;

TEST_F(Transitions, EachVerbAppliesToItsStates) {
  struct Case {
    State state;
    db::Transition::Kind cancel, remove, retry;
  };
  for (const auto& c :
       {Case{State::ready, kDone, kDone, kWrong}, Case{State::delayed, kDone, kDone, kWrong},
        Case{State::blocked, kDone, kDone, kWrong}, Case{State::active, kWrong, kWrong, kWrong},
        Case{State::cancelled, kWrong, kWrong, kDone}}) {
    EXPECT_EQ(act(db::cancel_task, in_state(c.state).spec.id), c.cancel) << name(c.state);
    EXPECT_EQ(act(delete_by_own_rules, in_state(c.state).spec.id), c.remove) << name(c.state);
    EXPECT_EQ(act(retry_by_own_rules, in_state(c.state).spec.id), c.retry) << name(c.state);
    database_.connect().script("TRUNCATE postern.task; TRUNCATE postern.task_finished");
  }
}

TEST_F(Transitions, AnotherTenantsTaskIsNotThere) {
  const auto task = in_state(State::ready);
  for (const Verb verb :
       {Verb{db::cancel_task}, Verb{delete_by_own_rules}, Verb{retry_by_own_rules}}) {
    EXPECT_EQ(act(verb, task.spec.id, "acme"), kMissing);
  }
  EXPECT_FALSE(db::get_task(connection_, "acme", task.spec.id));
  EXPECT_TRUE(read(connection_, task.spec.id));
}

TEST_F(Transitions, ACancelledTaskIsKept) {
  const auto task = in_state(State::cancelled);
  const auto back = *read(connection_, task.spec.id);
  EXPECT_EQ(back.reason, Reason::cancelled);
  EXPECT_TRUE(back.finished_at);
  EXPECT_EQ(counter(connection_, "finished_cancelled"), 1);
}

TEST_F(Transitions, ADeletedTaskIsGone) {
  const auto task = in_state(State::ready);
  act(delete_by_own_rules, task.spec.id);
  EXPECT_FALSE(read(connection_, task.spec.id));
  EXPECT_EQ(act(delete_by_own_rules, task.spec.id), kMissing);
  EXPECT_EQ(counter(connection_, "deleted"), 1);
}

TEST_F(Transitions, ARetryGivesAFreshBudgetAndKeepsTheAttempts) {
  auto scheduler = database_.connect("postern_scheduler");
  auto task = new_task();
  task.spec.deadline = *parse_rfc3339("2099-01-01T00:00:00Z");
  insert(connection_, {task});
  const auto claimed = claim(scheduler, 1).at(0);
  auto failed = db::settlement(claimed, State::failed, Reason::exhausted);
  failed.attempt = Attempt{1, "failed", 500, "HTTP 500", claimed.claimed_at, Milliseconds{5}, "no"};
  failed.result = Answer{500, {}, "no", Milliseconds{5}};
  scheduler.exec(db::kSettle, db::settle_params(Uuid{}, std::vector{failed}));
  ASSERT_EQ(read(connection_, task.spec.id)->state, State::failed);

  EXPECT_EQ(act(retry_by_own_rules, task.spec.id), kDone);
  const auto back = *read(connection_, task.spec.id);
  EXPECT_EQ(back.state, State::ready);
  EXPECT_EQ(back.reason, Reason::none);
  EXPECT_EQ(back.attempt, 1);
  EXPECT_EQ(back.attempt_base, 1);
  EXPECT_NE(back.attempts.find("HTTP 500"), std::string::npos);
  EXPECT_FALSE(back.finished_at);
  EXPECT_FALSE(back.result);
  EXPECT_EQ(back.spec.deadline, task.spec.deadline);
  EXPECT_EQ(claim(scheduler, 1).at(0).attempt, 2);
}

TEST_F(Transitions, CancelAndClaimNeverBothWin) {
  constexpr int kPairs = 200;
  std::vector<NewTask> tasks;
  for (int i = 0; i < kPairs; ++i) tasks.push_back(new_task());
  insert(connection_, tasks);
  std::set<TaskId> claimed;
  std::jthread claimer([&] {
    auto scheduler = database_.connect("postern_scheduler");
    for (int i = 0; i < kPairs; ++i) {
      for (const auto& c : claim(scheduler, 1)) claimed.insert(c.spec.id);
    }
  });
  std::set<TaskId> cancelled;
  for (const auto& task : tasks) {
    if (act(db::cancel_task, task.spec.id) == kDone) cancelled.insert(task.spec.id);
  }
  claimer.join();
  EXPECT_EQ(claimed.size() + cancelled.size(), static_cast<std::size_t>(kPairs));
  for (const auto& id : cancelled) EXPECT_FALSE(claimed.contains(id));
}

}  // namespace
}  // namespace postern::test
