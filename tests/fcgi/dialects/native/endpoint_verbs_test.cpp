// What can be done with endpoints over the wire: a new secret, a test, recovery; and their health.
#include "core/model/lane.h"
#include "core/security/signing.h"
#include "db/catalog/endpoints.h"
#include "db/catalog/queue_defaults.h"
#include "db/engine/lanes.h"
#include "tests/fcgi/dialects/native/endpoints.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class EndpointVerbsTest : public EndpointsTest {
 protected:
  // A finished task as its last attempt left it.
  TaskId finished(const std::string& endpoint, const std::string& resolved,
                  const std::string& state, const std::string& reason, int minutes_ago) {
    NewTask task = new_task();
    task.spec.endpoint = endpoint;
    task.spec.url.clear();
    insert(admin_, {task});
    admin_.exec({"", R"sql(
      WITH gone AS (DELETE FROM postern.task WHERE id = $1 RETURNING *)
      INSERT INTO postern.task_finished (
        id, lane, tenant, dialect, queue, endpoint, method, priority, max_attempts, retry_policy, attempt,
        state, reason, resolved, finished_at)
      SELECT id, lane, tenant, dialect, queue, endpoint, method, priority, max_attempts, retry_policy, 1,
             $2, $3, $4, now() - $5 * interval '1 minute' FROM gone)sql"},
                db::Params()
                    .uuid(task.spec.id)
                    .text(state)
                    .text(reason)
                    .text_or_null(resolved)
                    .int4(minutes_ago));
    return task.spec.id;
  }
};

TEST_F(EndpointVerbsTest, RotatesOnceWithinTheOverlap) {
  ASSERT_EQ(make("mail").status, 201);
  const std::string path = std::string(kPath) + "/rotate";
  const Answer first = ask("POST", path);
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_TRUE(webhook_secret_key(first.text("secret")));
  EXPECT_EQ(first.text("own_secret"), "true");
  EXPECT_EQ(first.text("previous_secret_until").size(), 20u);
  EXPECT_FALSE(ask("GET", kPath).json().contains("secret"));

  const Answer second = ask("POST", path);
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(second.reason(), "rotation_overlaps");
  const std::string own = make_webhook_secret();
  const Answer forced = ask("POST", path + "?force=true", R"({"secret":")" + own + "\"}");
  EXPECT_EQ(forced.text("secret"), own);
  EXPECT_EQ(text("SELECT previous FROM postern.endpoint"), first.text("secret"));
  admin_.script("UPDATE postern.endpoint SET previous_until = now()");
  EXPECT_FALSE(ask("GET", kPath).json().contains("previous_secret_until"));
  EXPECT_EQ(ask("POST", path).status, 200);

  const Answer dropped = ask("PATCH", kPath, R"({"secret":null})");
  EXPECT_EQ(dropped.text("own_secret"), "false");
  EXPECT_EQ(
      count("SELECT count(*) FROM postern.endpoint WHERE secret IS NULL AND previous IS NULL"), 1);
  const Answer given = make("other", R"("secret":")" + own + "\"");
  EXPECT_EQ(given.text("own_secret"), "true");
  EXPECT_EQ(given.body.find(own), std::string::npos);
}

TEST_F(EndpointVerbsTest, ATestIsATaskOfOneAttempt) {
  ASSERT_EQ(make("mail").status, 201);
  const std::string path = std::string(kPath) + "/test";
  const Answer plain = ask("POST", path);
  ASSERT_EQ(plain.status, 201) << plain.body;
  EXPECT_EQ(plain.headers.at("Location"), "/v1/tasks/" + plain.text("id"));
  EXPECT_EQ(plain.text("queue"), "endpoint-tests");
  EXPECT_EQ(plain.text("endpoint"), "mail");
  EXPECT_EQ(plain.text("priority"), "10");
  EXPECT_EQ(plain.text("max_retries"), "0");
  EXPECT_EQ(plain.text("payload/test"), "true");
  const Answer own = ask("POST", path, R"({"queue":"mine","payload":{"a":1}})");
  EXPECT_EQ(own.text("queue"), "mine");
  EXPECT_EQ(own.text("payload/a"), "1");

  ask("POST", std::string(kPath) + "/pause");
  EXPECT_EQ(ask("POST", path).reason(), "endpoint_paused");
  ask("POST", std::string(kPath) + "/resume");
  EXPECT_EQ(ask("POST", path).status, 201);

  make("*");
  EXPECT_EQ(ask("POST", "/v1/endpoints/*/test").status, 201);
  make("_");
  const Answer shadowed = ask("POST", "/v1/endpoints/*/test");
  EXPECT_EQ(shadowed.status, 409);
  EXPECT_EQ(shadowed.reason(), "endpoint_shadowed");
}

TEST_F(EndpointVerbsTest, RecoversWhatFailedHereAndThen) {
  for (const auto* name : {"mail", "mail:bulk", "*"}) make(name);
  const auto wanted = {finished("mail", "mail", "failed", "exhausted", 5),
                       finished("mail:x", "mail", "failed", "gone", 6),
                       // While there was no endpoint; now it would go here.
                       finished("mail:y", "", "failed", "exhausted", 7)};
  const auto others = {finished("mail", "mail", "completed", "", 5),
                       finished("mail", "mail", "cancelled", "cancelled", 5),
                       finished("mail", "mail", "failed", "unreachable", 5),
                       finished("mail:bulk", "mail:bulk", "failed", "exhausted", 5),
                       finished("mail:bulk:1", "", "failed", "exhausted", 5),
                       finished("mail", "mail", "failed", "exhausted", 50),
                       finished("mail", "mail", "failed", "exhausted", 1)};
  const auto ago = [&](int minutes) {
    return format_rfc3339(std::chrono::floor<Microseconds>(std::chrono::system_clock::now()) -
                          std::chrono::minutes{minutes});
  };
  const std::string path = std::string(kPath) + "/recover";
  const std::string body = R"({"since":")" + ago(30) + R"(","until":")" + ago(3) + "\"}";
  const Answer done = ask("POST", path, body);
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.body, R"({"count":3})");
  for (const auto& id : wanted) {
    const Answer task = ask("GET", "/v1/tasks/" + to_uuid(id));
    EXPECT_EQ(task.text("status"), "pending");
    EXPECT_EQ(task.text("attempt_count"), "1");
  }
  for (const auto& id : others) EXPECT_TRUE(is_finished(read(admin_, id)->state));
  EXPECT_EQ(ask("POST", path, body).body, R"({"count":0})");
  EXPECT_EQ(counter(admin_, "retried"), 3);
}

TEST_F(EndpointVerbsTest, HealthAddsUpTheLastHourOfAllSchedulers) {
  make("mail");
  const auto tell = [&](const char* endpoint, int minutes_ago, std::int64_t attempts,
                        std::int64_t failed, std::size_t bucket) {
    db::EndpointMinute minute{
        "default", endpoint,
        std::chrono::floor<std::chrono::minutes>(
            std::chrono::floor<Microseconds>(std::chrono::system_clock::now()) -
            std::chrono::minutes{minutes_ago})};
    minute.attempts = attempts;
    minute.failed = failed;
    minute.durations[bucket] = attempts;
    admin_.exec(db::kAddEndpointMinutes,
                db::endpoint_minutes_params(random_uuid(), std::span(&minute, 1)));
  };
  admin_.script("UPDATE postern.endpoint SET created_at = now() - interval '50 minutes'");
  tell("mail", 2, 15, 1, 3);      // up to 50 ms
  tell("mail", 1, 5, 3, 11);      // up to 5 s
  tell("mail", 55, 100, 100, 1);  // before it was made
  tell("mail:x", 1, 100, 100, 1);
  const Answer health = ask("GET", kPath);
  EXPECT_EQ(health.text("health/attempts"), "20");
  EXPECT_EQ(health.text("health/success_rate"), "8E-1");
  EXPECT_EQ(health.text("health/p95_ms"), "4500");
}

TEST_F(EndpointVerbsTest, HealthTellsTheWorstBreakerOfItsLanes) {
  for (const auto* name : {"mail", "mail:bulk"}) make(name);
  const auto lane = [&](const std::string& target) {
    const auto id = lane_id("default", "q", target);
    const db::LaneRow row{id, "default", "q", target};
    admin_.exec(db::kNoteLanes, db::note_lanes_params(std::span(&row, 1)));
    return std::to_string(id);
  };
  const auto told = [&](const std::string& lanes) {
    admin_.exec({"", R"sql(INSERT INTO postern.instance (id, program, name, version, gauges)
                           VALUES (gen_random_uuid(), 'postern-scheduler', 'n', '0', $1::jsonb))sql"},
                db::Params().text("{\"lanes\":" + lanes + "}"));
  };
  const auto breaker = [&] { return ask("GET", kPath).text("health/breaker"); };
  told("null");
  told(R"([{"lane":1,"state":"open"},{"lane":)" + lane("endpoint:mail:bulk") +
       R"(,"state":"open"}])");
  EXPECT_EQ(breaker(), "closed");
  told(R"([{"lane":)" + lane("endpoint:mail:a") + R"(,"state":"throttled"}])");
  EXPECT_EQ(breaker(), "throttled");
  told(R"([{"lane":)" + lane("endpoint:mail") + R"(,"state":"open"}])");
  EXPECT_EQ(breaker(), "open");
  admin_.script("UPDATE postern.instance SET beat_at = now() - interval '2 minutes'");
  EXPECT_EQ(breaker(), "closed");
}

}  // namespace
}  // namespace postern::test
