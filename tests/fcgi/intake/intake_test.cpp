// Nothing acknowledged is lost, nothing is made twice: idempotency keys, bad rows, broken
// connections.
#include <atomic>
#include <set>
#include <thread>

#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

using namespace std::chrono_literals;

constexpr char kBody[] = R"({"queue":"q","webhook_url":"http://a.test/","delay":3600})";

class IntakeTest : public WireTest {
 protected:
  Answer create_keyed(const std::string& key, const std::string& body = kBody,
                      const std::string& tenant = "default") {
    HttpRequest post = request("POST", "/v1/tasks", body);
    post.idempotency_key = key;
    post.key_tenant = tenant;
    return ask(post);
  }
  // The server has closed them when this returns.
  void cut_connections() {
    admin_.exec({"",
                 "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                 "WHERE datname = current_database() AND usename = 'postern_api'"});
  }
};

TEST_F(IntakeTest, AKeyMakesOneTask) {
  const Answer first = create_keyed("k");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(first.headers.count("Idempotency-Replayed"), 0u);
  const Answer second = create_keyed("k");
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.headers.at("Idempotency-Replayed"), "true");
  EXPECT_EQ(second.headers.at("Location"), first.headers.at("Location"));
  EXPECT_EQ(second.json(), first.json());
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1);
}

TEST_F(IntakeTest, AKeyIsForOneBody) {
  create_keyed("k");
  const Answer other =
      create_keyed("k", R"({"queue":"q","webhook_url":"http://a.test/","delay":3601})");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.text("error/code"), "conflict");
  EXPECT_EQ(other.reason(), "idempotency_key_reused");
}

TEST_F(IntakeTest, AKeyIsItsTenantsOwn) {
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme')");
  EXPECT_EQ(create_keyed("k").status, 201);
  EXPECT_EQ(create_keyed("k", kBody, "acme").status, 201);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 2);
}

TEST_F(IntakeTest, DeletingTheTaskForgetsTheKey) {
  const Answer first = create_keyed("k");
  EXPECT_EQ(ask("DELETE", "/v1/tasks/" + first.text("id")).status, 204);
  const Answer second = create_keyed("k");
  EXPECT_EQ(second.status, 201);
  EXPECT_NE(second.text("id"), first.text("id"));
}

// It tells nothing about the database's clock, so the next one comes soon, and not after ten
// seconds.
TEST_F(IntakeTest, ABeatThatTookLongIsFollowedByAnother) {
  admin_.script(
      "CREATE FUNCTION postern.slow_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "IF OLD.beat = 0 THEN PERFORM pg_sleep(0.7); END IF; RETURN NEW; END $$;"
      "UPDATE postern.instance SET beat = 0;"
      "CREATE TRIGGER slow_test BEFORE UPDATE ON postern.instance FOR EACH ROW "
      "EXECUTE FUNCTION postern.slow_test()");
  cut_connections();
  create_keyed("k");  // by a new one, which begins with a beat
  const auto limit = std::chrono::steady_clock::now() + 8s;
  while (count("SELECT max(beat) FROM postern.instance") < 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit);
    std::this_thread::sleep_for(20ms);
  }
}

TEST_F(IntakeTest, RefusesOddKeys) {
  for (const std::string& key :
       {std::string("a,b"), std::string(129, 'k'), std::string(1'000'000, 'k'),
        std::string("\xC3\xA4"), std::string("a\nb")}) {
    const Answer answer = create_keyed(key);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.reason(), "idempotency_key_invalid");
    EXPECT_EQ(answer.field(), "Idempotency-Key");
  }
  EXPECT_EQ(create_keyed(std::string(128, 'k')).status, 201);
}

TEST_F(IntakeTest, AHundredAtOnceWithTheSameKeyMakeOneTask) {
  std::vector<std::future<Answer>> asked;
  for (int i = 0; i < 100; ++i) {
    asked.push_back(std::async(std::launch::async, [this] { return create_keyed("k"); }));
  }
  int made = 0, replayed = 0;
  std::set<std::string> ids;
  for (auto& each : asked) {
    const Answer answer = each.get();
    made += answer.status == 201 ? 1 : 0;
    replayed += answer.status == 200 ? 1 : 0;
    ids.insert(answer.text("id"));
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(replayed, 99);
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1);
}

TEST_F(IntakeTest, KeyedTasksOfTwoProcessesDoNotLockEachOtherOut) {
  const Uuid instance = random_uuid();
  Intake other({.database = database_.options("postern_api"),
                .instance = instance,
                .name = "other",
                .idempotency_window = Seconds{600}});
  std::atomic<int> made = 0, failed = 0, left = 400;
  for (int i = 0; i < 400; ++i) {
    NewTask task = new_task();
    task.delay = Seconds{3600};
    // The same keys in opposite orders.
    task.spec.idempotency_key = "k" + std::to_string(i % 2 == 0 ? i / 2 : 199 - i / 2);
    task.request_hash = "h";
    const auto lane = lane_of(task);
    (i % 2 == 0 ? *intake_ : other)
        .submit(std::move(task), lane, false, [&](const Result<Intake::Taken>& taken) {
          if (!taken) ++failed;
          if (taken && taken->kind == Intake::Taken::Kind::created) ++made;
          --left;
        });
  }
  for (int i = 0; i < 3'000 && left > 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(left, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(made, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 200);
}

TEST_F(IntakeTest, OneBadRowFailsAlone) {
  std::atomic<int> made = 0, refused = 0, left = 100;
  for (int i = 0; i < 100; ++i) {
    NewTask task = new_task();
    if (i % 33 == 5) task.spec.priority = 101;  // which no handler would let through
    const auto lane = lane_of(task);
    intake_->submit(std::move(task), lane, false, [&](const Result<Intake::Taken>& taken) {
      if (taken) ++made;
      if (!taken && taken.error().code == Errc::internal) ++refused;
      --left;
    });
  }
  for (int i = 0; i < 3'000 && left > 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(made, 97);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 97);
}

TEST_F(IntakeTest, GathersWhatComesTogether) {
  std::atomic<int> left = 2'000;
  std::vector<NewTask> tasks;  // made beforehand, so that nothing lies between them
  for (int i = 0; i < 2'000; ++i) tasks.push_back(new_task());
  for (NewTask& task : tasks) {
    const auto lane = lane_of(task);
    intake_->submit(std::move(task), lane, false, [&](const Result<Intake::Taken>& taken) {
      EXPECT_TRUE(taken);
      --left;
    });
  }
  for (int i = 0; i < 3'000 && left > 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 2'000);
  // created_at is the transaction's: few of them are many rows at once. Under TSan they are
  // submitted so slowly that fewer gather.
#ifdef __SANITIZE_THREAD__
  constexpr int kMost = 500;
#else
  constexpr int kMost = 100;
#endif
  EXPECT_LE(count("SELECT count(DISTINCT created_at) FROM postern.task"), kMost);
}

// The intake's and the pool's connections are cut again and again under load. What was acknowledged
// is there, nothing is there twice, and in the end all works again.
TEST_F(IntakeTest, EveryAcknowledgedTaskIsThereWhenConnectionsBreak) {
  ASSERT_EQ(create().status, 201);
  std::atomic<bool> over = false;
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::map<int, int> statuses;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      for (int n = 0; !over; ++n) {
        const bool keyed = n % 3 == 0;
        const Answer answer =
            keyed ? create_keyed(std::to_string(i) + "-" + std::to_string(n)) : create();
        const std::lock_guard lock(mutex);
        ++statuses[answer.status];
        if (answer.status == 201)
          acknowledged.insert(to_uuid(parse_task_id(answer.text("id")).value()));
      }
    });
  }
  const auto enough = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged.size() > 20;
  };
  for (int i = 0; i < 20 || (i < 600 && !enough()); ++i) {
    std::this_thread::sleep_for(50ms);
    cut_connections();
  }
  over = true;
  for (auto& client : clients) client.join();
  for (const auto& [status, times] : statuses)
    EXPECT_TRUE(status == 201 || status == 503) << status << " " << times;
  EXPECT_GT(acknowledged.size(), 20u);

  std::set<std::string> there;
  const auto rows = admin_.exec({"", "SELECT id FROM postern.task"});
  for (int i = 0; i < rows.rows(); ++i) there.insert(to_uuid(rows.uuid(i, 0)));
  EXPECT_EQ(there.size(), static_cast<std::size_t>(rows.rows()));
  for (const auto& id : acknowledged) EXPECT_TRUE(there.contains(id)) << id;
  // Soon, if the last cut met a connection that was just being made.
  const auto limit = std::chrono::steady_clock::now() + 30s;
  for (int status = 0; (status = create().status) != 201;) {
    ASSERT_EQ(status, 503);
    ASSERT_LT(std::chrono::steady_clock::now(), limit);
    std::this_thread::sleep_for(20ms);
  }
}

TEST_F(IntakeTest, NoticesAConnectionThatDiedWhileIdle) {
  ASSERT_EQ(create().status, 201);
  for (int i = 0; i < 5; ++i) {
    cut_connections();
    const Answer made = create();
    EXPECT_EQ(made.status, 201);
    cut_connections();
    EXPECT_EQ(ask("GET", "/v1/tasks").status, 200);
    cut_connections();
    EXPECT_EQ(ask("DELETE", "/v1/tasks/" + made.text("id")).status, 204);
  }
}

TEST_F(IntakeTest, WaitsForALockAndThenSaysItWasTooSlow) {
  const Answer made = create();
  ASSERT_EQ(made.status, 201);
  const std::string task = "/v1/tasks/" + made.text("id");
  auto locker = database_.connect();
  {
    db::Transaction transaction(locker);
    locker.exec({"", "LOCK TABLE postern.task IN ACCESS EXCLUSIVE MODE"});
    for (const Answer& answer :
         {create(), ask("GET", task), ask("PATCH", task, R"({"priority":1})")}) {
      EXPECT_EQ(answer.status, 503) << answer.body;
      EXPECT_EQ(answer.reason(), "database_slow");
      EXPECT_EQ(answer.headers.at("Retry-After"), "1");
    }
  }
  EXPECT_EQ(create().status, 201);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 2);
}

// Somebody holds what one tenant's tasks need; nobody else's wait behind these.
TEST_F(IntakeTest, WhatHasToWaitHoldsUpNobodyElse) {
  admin_.script(
      "INSERT INTO postern.tenant (name) VALUES ('acme');"
      "INSERT INTO postern.queue (tenant, name, max_entries, discard_old) VALUES "
      "('default', 'full', 10, true), ('acme', 'full', 3, true)");
  const std::string bounded = R"({"queue":"full","webhook_url":"http://a.test/","delay":3600})";
  auto locker = database_.connect();
  std::vector<std::future<Answer>> held;
  {
    db::Transaction transaction(locker);
    locker.script(
        "SELECT FROM postern.queue WHERE tenant = 'default' AND name = 'full' FOR UPDATE;"
        "INSERT INTO postern.idempotency_key VALUES "
        "('default', 'held', gen_random_uuid(), '', now() + interval '1 h')");
    for (int i = 0; i < 20; ++i) {
      held.push_back(std::async(std::launch::async, [&, i] {
        HttpRequest post = request("POST", "/v1/tasks", bounded);
        if (i % 2 == 0) post.idempotency_key = "bounded-" + std::to_string(i);
        return ask(post);
      }));
    }
    held.push_back(std::async(std::launch::async, [&] { return create_keyed("held"); }));
    std::this_thread::sleep_for(50ms);
    // Few, as whoever is held is told after five seconds that it takes too long.
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(create().status, 201);
      EXPECT_EQ(create_keyed("other-" + std::to_string(i)).status, 201);
      EXPECT_EQ(create_keyed("acme-" + std::to_string(i), bounded, "acme").status, 201);
    }
    for (auto& each : held) EXPECT_EQ(each.wait_for(0s), std::future_status::timeout);
  }
  for (auto& each : held) EXPECT_EQ(each.get().status, 201);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE tenant = 'acme'"), 3);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE tenant = 'default' AND queue = 'full'"),
            10);
}

// A limit that was lowered far below what is there: a creation makes room for itself alone, and the
// number never grows.
TEST_F(IntakeTest, ACreationDiscardsOneForItself) {
  admin_.script(
      "INSERT INTO postern.queue (tenant, name, max_entries, discard_old) VALUES "
      "('default', 'full', 100, true)");
  const std::string bounded = R"({"queue":"full","webhook_url":"http://a.test/","delay":3600})";
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ask("POST", "/v1/tasks", bounded).status, 201);
  admin_.script("UPDATE postern.queue SET max_entries = 1 WHERE name = 'full'");
  std::vector<std::future<Answer>> asked;
  for (int i = 0; i < 40; ++i) {
    asked.push_back(
        std::async(std::launch::async, [&] { return ask("POST", "/v1/tasks", bounded); }));
  }
  for (auto& each : asked) EXPECT_EQ(each.get().status, 201);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE queue = 'full'"), 100);
}

TEST(IntakeWithoutDatabase, FailsFastAndRecovers) {
  Database database;
  db::PgConnection::Options options = database.options("postern_api");
  // Nobody may connect for now, which is as good as a server that is away.
  auto admin = db::PgConnection::connect(server_options("postgres"));
  admin.script("ALTER DATABASE " + database.name() + " WITH ALLOW_CONNECTIONS false");
  Intake intake({.database = options,
                 .instance = random_uuid(),
                 .name = "test",
                 .idempotency_window = Seconds{600}});
  const auto submit = [&] {
    auto promise = std::make_shared<std::promise<Result<Intake::Taken>>>();
    NewTask task = new_task();
    const auto lane = lane_of(task);
    intake.submit(std::move(task), lane, false,
                  [promise](Result<Intake::Taken> taken) { promise->set_value(std::move(taken)); });
    return promise->get_future().get();
  };
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) {
    const auto taken = submit();
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::unavailable);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
  EXPECT_FALSE(intake.connected());

  admin.script("ALTER DATABASE " + database.name() + " WITH ALLOW_CONNECTIONS true");
  bool recovered = false;
  for (int i = 0; i < 3'000 && !recovered; ++i) {
    std::this_thread::sleep_for(20ms);
    recovered = submit().has_value();
  }
  EXPECT_TRUE(recovered);
}

TEST_F(IntakeTest, AnswersWithoutADatabase) {
  db::Pool nowhere({"host=/nowhere", "test"}, 1);
  Intake intake({.database = {"host=/nowhere", "test"},
                 .instance = random_uuid(),
                 .name = "test",
                 .idempotency_window = Seconds{600}});
  handlers_ = std::make_unique<Handlers>(Handlers::Options{}, nowhere, intake);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  const Answer ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.text("checks/tasks/error"), "tasks storage unreachable");
  EXPECT_EQ(ready.text("checks/schedulers/error"), "configuration storage unreachable");
  const Answer made = create();
  EXPECT_EQ(made.status, 503);
  EXPECT_EQ(made.text("error/code"), "unavailable");
  EXPECT_EQ(made.headers.at("Retry-After"), "1");
  EXPECT_EQ(ask("GET", "/v1/tasks").status, 503);
  EXPECT_EQ(create(R"("priority":11)").status, 400);
  handlers_.reset();
}

TEST_F(IntakeTest, BeatsForItsInstance) {
  ASSERT_EQ(create().status, 201);
  EXPECT_EQ(
      count(
          "SELECT count(*) FROM postern.instance WHERE program = 'postern-fcgi' AND name = 'test'"),
      1);
  EXPECT_EQ(count("SELECT sum(value)::bigint FROM postern.counter WHERE name = 'created'"), 1);
}

}  // namespace
}  // namespace postern::test
