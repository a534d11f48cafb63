// What a tenant may have at most, at every door that makes one.
#include <fmt/format.h>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class QuotasTest : public WireTest {
 protected:
  void limit(const Quotas::Limits& quotas) {
    Handlers::Options options;
    options.quotas = quotas;
    start(options);
  }
  static std::string told(const Answer& answer) {
    if (answer.status != 409) return std::to_string(answer.status);
    return fmt::format("409 {} {} {}", answer.text("error/code"), answer.reason(), answer.field());
  }
  void measured(std::int64_t waiting, std::int64_t lanes) {
    admin_.exec({"", "INSERT INTO postern.tenant_gauge VALUES ('default', $1, $2)"},
                db::Params().int8(waiting).int8(lanes));
  }
};

constexpr char kExceeded[] = "409 conflict quota_exceeded ";

TEST_F(QuotasTest, Queues) {
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('other')");
  limit({.queues = 2});
  EXPECT_EQ(told(ask("POST", "/v1/queues", R"({"name":"a"})")), "201");
  EXPECT_EQ(told(ask("PUT", "/v1/queues/b", "{}")), "201");
  EXPECT_EQ(told(ask("PUT", "/v1/queues/b", "{}")), "200");
  EXPECT_EQ(told(ask("POST", "/v1/queues", R"({"name":"c"})")), std::string(kExceeded) + "name");
  EXPECT_EQ(told(ask("PUT", "/v1/queues/c", "{}")), std::string(kExceeded) + "name");
  EXPECT_EQ(told(create("", "c")), std::string(kExceeded) + "queue");
  EXPECT_EQ(told(create("", "b")), "201");
  HttpRequest elsewhere = request("POST", "/v1/queues", R"({"name":"c"})");
  elsewhere.key_tenant = "other";
  EXPECT_EQ(told(ask(elsewhere)), "201");
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue WHERE tenant = 'default'"), 2);
}

TEST_F(QuotasTest, Endpoints) {
  limit({.endpoints = 1});
  const std::string body = R"({"url":"http://a.test/"})";
  EXPECT_EQ(told(ask("PUT", "/v1/endpoints/a", body)), "201");
  EXPECT_EQ(told(ask("PUT", "/v1/endpoints/a", body)), "200");
  EXPECT_EQ(told(ask("PUT", "/v1/endpoints/b", body)), std::string(kExceeded) + "name");
  EXPECT_EQ(told(ask("POST", "/v1/endpoints", R"({"name":"b","url":"http://a.test/"})")),
            std::string(kExceeded) + "name");
}

TEST_F(QuotasTest, Schedules) {
  limit({.schedules = 1});
  const std::string body = R"("interval_seconds":90,"queue":"q","webhook_url":"http://a.test/"})";
  EXPECT_EQ(told(ask("POST", "/v1/schedules", R"({"name":"a",)" + body)), "201");
  EXPECT_EQ(told(ask("PUT", "/v1/schedules/a", "{" + body)), "200");
  EXPECT_EQ(told(ask("PUT", "/v1/schedules/b", "{" + body)), std::string(kExceeded) + "name");
  EXPECT_EQ(told(ask("POST", "/v1/schedules", R"({"name":"b",)" + body)),
            std::string(kExceeded) + "name");
}

TEST_F(QuotasTest, WaitingTasksInEveryDialect) {
  ASSERT_EQ(ask("POST", "/v1/queues", R"({"name":"Q"})").status, 201);
  measured(10, 1);
  limit({.waiting = 11});
  EXPECT_EQ(told(create()), "201");
  limit({.waiting = 10});
  EXPECT_EQ(told(create()), std::string(kExceeded) + "queue");
  const Answer batch =
      ask("POST", "/v1/tasks/batch", R"({"tasks":[{"queue":"q","webhook_url":"http://a.test/"}]})");
  EXPECT_EQ(batch.text("results/0/error/details/reason"), "quota_exceeded") << batch.body;
  const std::pair<std::string, std::string> others[] = {
      {"asyncqueue", R"({"targetUrl":"http://a.test/","delayUntil":"2030-01-01T00:00:00Z"})"},
      {"asyncjobs", R"({"type":"email","queue":"Q"})"}};
  for (const auto& [dialect, body] : others) {
    HttpRequest asked = request("POST", "/v1/tasks", body);
    asked.dialect = dialect;
    const Answer refused = ask(asked);
    EXPECT_EQ(refused.status, 409) << refused.body;
    EXPECT_NE(refused.body.find("quota_waiting"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1);
}

TEST_F(QuotasTest, ATriggeredScheduleAsksToo) {
  measured(10, 1);
  limit({.waiting = 10});
  ASSERT_EQ(told(ask("PUT", "/v1/schedules/s",
                     R"({"interval_seconds":90,"queue":"q","webhook_url":"http://a.test/"})")),
            "201");
  EXPECT_EQ(told(ask("POST", "/v1/schedules/s/trigger")), std::string(kExceeded) + "null");
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run"), 0);
  limit({.waiting = 11});
  EXPECT_EQ(told(ask("POST", "/v1/schedules/s/trigger")), "201");
}

TEST_F(QuotasTest, LanesCountWhenTheyAreNew) {
  limit({});
  ASSERT_EQ(ask("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://a.test/"})").status,
            201);
  measured(3, 1);
  limit({.lanes = 1});
  EXPECT_EQ(told(ask("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://a.test/x"})")),
            "201");
  EXPECT_EQ(told(ask("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://b.test/"})")),
            std::string(kExceeded) + "webhook_url");
}

}  // namespace
}  // namespace postern::test
