// Requests of tenants that are on their way to another cell, or have moved there.
#include <future>
#include <thread>

#include "core/model/ids.h"
#include "fcgi/api/streams.h"
#include "fcgi/server/db_access.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

using namespace std::chrono_literals;

class MovedTest : public WireTest {
 protected:
  void SetUp() override {
    admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme'), ('beta')");
  }
  void place(const std::string& state, const std::string& tenant = "acme") {
    const bool moved = state == "moved" || state == "arriving again";
    admin_.script("UPDATE postern.tenant SET state = '" + state.substr(0, state.find(' ')) +
                  "', (moved_to, moved_url, moved_at) = (" +
                  (moved ? "'us3', 'https://us3.test', now()" : "NULL, NULL, NULL") +
                  ") WHERE name = '" + tenant + "'");
  }
  // The database refuses what a tenant that leaves would write, as it does in a move.
  void refuse_new_tasks(const std::string& tenant, const std::string& sqlstate) {
    admin_.script(
        "CREATE OR REPLACE FUNCTION postern.refuse_test() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN "
        "RAISE EXCEPTION 'away' USING ERRCODE = '" +
        sqlstate +
        "'; END $$;"
        "CREATE OR REPLACE TRIGGER refuse_test BEFORE INSERT ON postern.task "
        "FOR EACH ROW WHEN (NEW.tenant = '" +
        tenant + "') EXECUTE FUNCTION postern.refuse_test()");
  }
  // Asks until the handlers have seen where the tenant is.
  void until(int status, const HttpRequest& asked) {
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (ask(asked).status != status) {
      if (std::chrono::steady_clock::now() > limit) FAIL() << "never " << status;
      std::this_thread::sleep_for(5ms);
    }
  }
  HttpRequest of(const std::string& tenant, std::string method, std::string path,
                 std::string body = {}) {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.key_tenant = tenant;
    return out;
  }
  HttpRequest creation(const std::string& tenant, const std::string& more = "") {
    return of(tenant, "POST", "/v1/tasks",
              R"({"queue":"q","webhook_url":"http://r.test/","delay":3600)" + more + "}");
  }
};

TEST_F(MovedTest, ARequestOfAMovedTenantIsToldTheNewPlaceInEachDialect) {
  place("moved");
  HttpRequest asked = creation("acme");
  asked.path = "/v1/tasks";
  asked.query = "a=%20b";
  asked.base_path = "/queue";
  for (const char* dialect : {"", "native", "asyncqueue", "asyncjobs"}) {
    for (const char* method : {"GET", "HEAD", "POST"}) {
      asked.dialect = dialect;
      asked.method = method;
      const Answer answer = ask(asked);
      EXPECT_EQ(answer.status, 308) << dialect << method;
      EXPECT_EQ(answer.headers.at("Location"), "https://us3.test/v1/tasks?a=%20b");
      EXPECT_EQ(answer.headers.count("X-Accel-Redirect"), 0u);
      EXPECT_EQ(answer.body.empty(), method == std::string("HEAD"));
    }
  }
  HttpRequest job = of("acme", "GET", "/job/7 \xc3\xa4");
  job.dialect = "taskmq";
  job.mount = "/taskmq";
  job.base_path = "/queue/taskmq";
  EXPECT_EQ(ask(job).headers.at("Location"), "https://us3.test/taskmq/job/7%20%C3%A4");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
  EXPECT_EQ(ask(creation("beta")).status, 201);
  // What concerns no tenant is of this cell.
  asked.method = "OPTIONS";
  EXPECT_EQ(ask(asked).status, 405);
  EXPECT_EQ(ask(of("acme", "GET", "/nowhere")).status, 404);
  EXPECT_EQ(ask(of("acme", "GET", "/healthz")).status, 200);
}

TEST_F(MovedTest, NginxPassesItOnWhereItKnowsTheCells) {
  place("moved");
  HttpRequest asked = creation("acme");
  asked.cells = "1";
  const Answer answer = ask(asked);
  EXPECT_EQ(answer.headers.at("X-Accel-Redirect"), "@postern_moved");
  EXPECT_EQ(answer.headers.at("Postern-Cell"), "us3");
  EXPECT_EQ(answer.headers.count("Location"), 0u);
  EXPECT_EQ(answer.body, "");
}

TEST_F(MovedTest, OneThatComesBackIsElsewhereUntilItIsHere) {
  place("arriving again");
  for (const char* method : {"GET", "POST"}) {
    HttpRequest asked = creation("acme");
    asked.method = method;
    const Answer answer = ask(asked);
    EXPECT_EQ(answer.status, 308) << method;
    EXPECT_EQ(answer.headers.at("Location"), "https://us3.test/v1/tasks");
  }
  place("here");
  EXPECT_EQ(ask(creation("acme")).status, 201);
}

// Whoever is refused is refused here: the other cell learns of nobody who is not vouched for.
TEST_F(MovedTest, OnlyWhoIsLetInIsLedOn) {
  place("moved");
  HttpRequest asked = creation("acme");
  asked.verdict = Verdict::invalid;
  EXPECT_EQ(ask(asked).status, 401);
  asked.verdict = Verdict::ok;
  asked.role = "read";
  EXPECT_EQ(ask(asked).status, 403);
}

TEST_F(MovedTest, WhatIsFencedReadsAndDoesNotWrite) {
  const std::string id = ask(creation("acme")).text("id");
  for (const char* state : {"fenced", "arriving"}) {
    place(state);
    until(503, creation("acme"));
    for (const auto& [method, path] : {std::pair{"POST", "/v1/tasks"},
                                       {"POST", "/v1/tasks/batch"},
                                       {"POST", "/v1/queues"},
                                       {"DELETE", "/v1/tasks/x"},
                                       {"POST", "/v1/tasks/retry"}}) {
      const Answer answer = ask(of("acme", method, path, "{}"));
      EXPECT_EQ(answer.status, 503) << path;
      EXPECT_EQ(answer.reason(), "tenant_moving") << path;
      EXPECT_EQ(answer.headers.at("Retry-After"), "1") << path;
    }
    const int reads = state == std::string("fenced") ? 200 : 503;
    EXPECT_EQ(ask(of("acme", "GET", "/v1/tasks/" + id)).status, reads);
    EXPECT_EQ(ask(of("acme", "HEAD", "/v1/tasks")).status, reads);
    EXPECT_EQ(ask(creation("beta")).status, 201);
  }
  place("draining");
  EXPECT_EQ(ask(creation("acme")).status, 201);
  place("here");
  EXPECT_EQ(ask(creation("acme")).status, 201);
}

// What the handlers do not know yet the database does.
TEST_F(MovedTest, ARefusalOfTheDatabaseIsToldInEachDialect) {
  admin_.script("INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'q'), ('acme', 'Q')");
  EXPECT_EQ(ask(of("acme", "PUT", "/v1/endpoints/h", R"({"url":"http://r.test/"})")).status, 201);
  const std::string id = ask(creation("acme")).text("id");
  refuse_new_tasks("acme", "PM001");
  const auto refused = [&](const char* dialect, std::string path, std::string body) {
    HttpRequest asked = of("acme", "POST", std::move(path), std::move(body));
    asked.dialect = dialect;
    const Answer answer = ask(asked);
    EXPECT_EQ(answer.status, 503) << dialect << answer.body;
    EXPECT_EQ(answer.headers.at("Retry-After"), "1");
    EXPECT_NE(answer.body.find("another cell"), std::string::npos) << answer.body;
  };
  const std::string task = R"({"queue":"q","webhook_url":"http://r.test/"})";
  refused("native", "/v1/tasks", task);
  refused("native", "/v1/tasks/batch?atomic=true", R"({"tasks":[)" + task + "]}");
  refused("asyncqueue", "/v1/tasks", R"({"targetUrl":"http://r.test/"})");
  refused("taskmq", "/add-job", R"({"handler":"h","payload":{}})");
  refused("asyncjobs", "/v1/tasks", R"({"type":"h","queue":"Q","payload":{}})");
  HttpRequest keyed = creation("acme");
  keyed.idempotency_key = "once";
  EXPECT_EQ(ask(keyed).reason(), "tenant_moving");
  EXPECT_EQ(ask(of("acme", "GET", "/v1/tasks/" + id)).status, 200);
}

// One that was admitted before its tenant had moved, and came too late to write.
TEST_F(MovedTest, AWriteThatComesTooLateIsLedOn) {
  admin_.script("INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'q')");
  ask(creation("beta"));
  place("fenced");
  until(503, creation("acme"));  // the handlers know that it leaves
  place("draining");
  refuse_new_tasks("acme", "PM002");
  auto locker = database_.connect();
  locker.script("BEGIN; LOCK TABLE postern.task IN SHARE MODE");
  const auto promise = std::make_shared<std::promise<HttpResponse>>();
  handlers_->answer(creation("acme"),
                    [promise](const HttpResponse& response) { promise->set_value(response); });
  place("moved");
  locker.script("ROLLBACK");
  const HttpResponse response = promise->get_future().get();
  EXPECT_EQ(response.status, 308);
}

// A batch of many tenants: only the one that leaves is refused.
TEST_F(MovedTest, InABatchOfManyOnlyTheTasksOfTheOneAreRefused) {
  std::string tenants;
  for (int i = 0; i < 12; ++i) tenants += (i > 0 ? ", ('t" : "('t") + std::to_string(i) + "')";
  admin_.script("INSERT INTO postern.tenant (name) VALUES " + tenants +
                ";"
                "INSERT INTO postern.queue (tenant, name) SELECT name, 'q' FROM postern.tenant");
  admin_.script(
      "CREATE FUNCTION postern.slow_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM pg_sleep(0.3); RETURN NEW; END $$;"
      "CREATE TRIGGER slow_test BEFORE INSERT ON postern.task "
      "FOR EACH ROW WHEN (NEW.tenant = 'beta') EXECUTE FUNCTION postern.slow_test()");
  for (const char* away : {"t0", "t5", "t9"}) {
    refuse_new_tasks(away, "PM001");
    // While the first is written, the others gather.
    std::promise<void> slow;
    handlers_->answer(creation("beta"), [&](const HttpResponse&) { slow.set_value(); });
    std::this_thread::sleep_for(50ms);
    std::vector<std::future<HttpResponse>> answers;
    std::vector<std::string> whose;
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 12; ++i) {
        const auto promise = std::make_shared<std::promise<HttpResponse>>();
        answers.push_back(promise->get_future());
        whose.push_back("t" + std::to_string(i));
        handlers_->answer(creation(whose.back()), [promise](const HttpResponse& response) {
          promise->set_value(response);
        });
      }
    }
    slow.get_future().wait();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const HttpResponse response = answers[i].get();
      EXPECT_EQ(response.status, whose[i] == away ? 503 : 201) << whose[i] << " " << response.body;
      if (whose[i] == away) {
        EXPECT_NE(response.body.find("tenant_moving"), std::string::npos);
      }
    }
  }
  EXPECT_TRUE(intake_->connected());
}

TEST_F(MovedTest, AListThatIsStreamedBreaksOffWhenItsTenantMoves) {
  admin_.script("INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'q')");
  for (int i = 0; i < 3; ++i) ask(creation("acme"));
  db::TaskFilter all;
  all.limit = 1'000;
  Placements placements(pool_, pool_, "");
  Streams streams(pool_, 4, placements);
  auto whole = streams.open("acme", all);
  EXPECT_EQ(whole->next()->size(), 3u);
  EXPECT_TRUE(whole->next()->empty());
  place("moved");
  Placements fresh(pool_, pool_, "");
  Streams known(pool_, 4, fresh);
  auto reader = known.open("acme", all);
  EXPECT_THROW(reader->next(), std::runtime_error);
}

TEST_F(MovedTest, AUrlThatIsItselfTheCredentialIsToldTheNewPlace) {
  const std::string id = ask(creation("acme")).text("id");
  const std::string other = ask(creation("beta")).text("id");
  const std::string path = "/v1/tasks/" + id + "/complete?token=x";
  const auto tell = [&](std::string to) {
    HttpRequest asked = request("POST", std::move(to), "{}");
    asked.verdict = Verdict::absent;
    asked.key_tenant = asked.role = asked.identity = "";
    asked.cells = "1";  // a client is told, all the same
    return ask(asked);
  };
  EXPECT_EQ(tell(path).status, 403);
  place("fenced");
  until(503, creation("acme"));
  EXPECT_EQ(tell(path).reason(), "tenant_moving");
  place("moved");
  for (const bool gone : {false, true}) {
    if (gone) {
      admin_.script(
          "INSERT INTO postern.moved_task SELECT id, tenant, now() + '1 day' FROM postern.task "
          "WHERE tenant = 'acme';"
          "DELETE FROM postern.task WHERE tenant = 'acme'");
    }
    const Answer answer = tell(path);
    EXPECT_EQ(answer.status, 308) << gone;
    EXPECT_EQ(answer.headers.at("Location"), "https://us3.test" + path);
    EXPECT_EQ(answer.headers.count("X-Accel-Redirect"), 0u);
  }
  EXPECT_EQ(tell("/v1/tasks/" + other + "/complete?token=x").status, 403);
  EXPECT_EQ(tell("/v1/tasks/nothing/complete?token=x").status, 403);
  admin_.script("UPDATE postern.moved_task SET until = now()");
  EXPECT_EQ(tell(path).status, 403);
}

TEST_F(MovedTest, WhatNginxTakesForAnotherCellIsRefused) {
  HttpRequest asked = creation("acme");
  asked.cell = "us3";
  EXPECT_EQ(ask(asked).status, 503);
  EXPECT_EQ(ask(asked).reason(), "cell_mismatch");
  HttpRequest health = request("GET", "/healthz");
  health.cell = "us3";
  EXPECT_EQ(ask(health).status, 503);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
  // But one whose tenant has moved from here is led on: nginx may not know that cell at all.
  place("moved");
  until(308, asked);
}

TEST_F(MovedTest, ADatabaseThatRefusesHidesNoRequestForAnotherCell) {
  admin_.script(
      "CREATE FUNCTION postern.full_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;"
      "CREATE TRIGGER full_test BEFORE INSERT ON postern.queue FOR EACH ROW "
      "EXECUTE FUNCTION postern.full_test()");
  const HttpRequest refused = of("acme", "POST", "/v1/queues", R"({"name":"new"})");
  HttpRequest mistaken = of("acme", "GET", "/v1/queues");
  mistaken.cell = "us3";
  const auto logs = [&](const HttpRequest& request, const char* reason, const char* line) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(ask(request).reason(), reason);
    return testing::internal::GetCapturedStdout().find(line) != std::string::npos;
  };
  // Right behind the line of a database fault, whose like may come a second later. Other tests may
  // have had the other line of these seconds.
  const auto limit = std::chrono::steady_clock::now() + 15s;
  bool told = false;
  while (!told && std::chrono::steady_clock::now() < limit) {
    if (logs(refused, "database_unavailable", "request failed")) {
      told = logs(mistaken, "cell_mismatch", "request for another cell");
    }
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace postern::test
