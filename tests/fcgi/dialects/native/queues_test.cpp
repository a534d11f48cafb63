// Queues over the wire, in the native dialect.
#include <thread>

#include <fmt/format.h>

#include "core/model/task.h"
#include "core/wire/queue_json.h"
#include "db/catalog/queues.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class QueuesTest : public WireTest {
 protected:
  Answer make(const std::string& fields = "") {
    return ask("POST", "/v1/queues", R"({"name":"q")" + (fields.empty() ? "" : "," + fields) + "}");
  }
  Answer patch(const std::string& body) { return ask("PATCH", "/v1/queues/q", body); }
  std::int64_t live() { return count("SELECT count(*) FROM postern.task"); }
};

TEST_F(QueuesTest, MadeOnPurposeHasNoLimitsUnlessTold) {
  const Answer made = make();
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_FALSE(made.headers.contains("Location"));
  const auto json = made.json();
  std::vector<std::string> keys;
  for (const auto& member : json) keys.emplace_back(member.key());
  EXPECT_EQ(keys,
            (std::vector<std::string>{"name", "time", "max_age", "max_entries", "discard_old",
                                      "max_tries", "max_runtime", "max_concurrent", "paused",
                                      "rate_limit", "retention", "max_retries", "retry_policy",
                                      "timeout_seconds", "endpoint", "created_at", "updated_at"}));
  for (const auto& [path, value] : {std::pair{"max_age", "0"},
                                    {"max_entries", "-1"},
                                    {"discard_old", "false"},
                                    {"max_tries", "-1"},
                                    {"max_runtime", "0"},
                                    {"max_concurrent", "-1"},
                                    {"paused", "false"},
                                    {"rate_limit", "null"},
                                    {"retention/completed", "standard"},
                                    {"max_retries", "3"},
                                    {"retry_policy", "exponential"},
                                    {"timeout_seconds", "30"},
                                    {"endpoint", "null"}}) {
    EXPECT_EQ(made.text(path), value) << path;
  }
  EXPECT_EQ(ask("GET", "/v1/queues/q").text("created_at"), made.text("created_at"));
}

TEST_F(QueuesTest, HasTheSameSettingsHoweverItIsMade) {
  const auto settings = [this](const std::string& name) {
    auto queue = ask("GET", "/v1/queues/" + name).json();
    for (const char* own : {"name", "time", "created_at", "updated_at"}) queue.erase(own);
    return boost::json::serialize(queue);
  };
  ASSERT_EQ(make().status, 201);
  ASSERT_EQ(
      ask("POST", "/v1/queues", R"({"name":"nulls","max_concurrent":null,"max_runtime":null})")
          .status,
      201);
  ASSERT_EQ(ask("PUT", "/v1/queues/put", "{}").status, 201);
  ASSERT_EQ(create("", "task").status, 201);
  ASSERT_EQ(ask("POST", "/v1/tasks", R"({"targetUrl":"http://a.test/"})").status, 201);
  ASSERT_EQ(ask("POST", "/v1/schedules",
                R"({"name":"s","queue":"run","webhook_url":"http://a.test/","schedule":"@yearly"})")
                .status,
            201);
  ASSERT_EQ(ask("POST", "/v1/schedules/s/trigger").status, 201);
  for (const char* name : {"nulls", "put", "task", "asyncqueue", "run"}) {
    EXPECT_EQ(settings(name), settings("q")) << name;
  }
}

TEST_F(QueuesTest, ShowsWhatWasSet) {
  const Answer made = make(
      R"("max_age":"1h30m","max_runtime":"1.5s","max_entries":10,"discard_old":true,"max_tries":5,
         "max_concurrent":42,"max_retries":7,"retry_policy":{"intervals":[1, 2.5]},"timeout_seconds":60,
         "endpoint":"mail","rate_limit":{"count":50,"period_seconds":2,"burst":5},
         "retention":{"completed":"short"})");
  ASSERT_EQ(made.status, 201) << made.body;
  for (const auto& [path, value] : {std::pair{"max_age", "5400000000000"},
                                    {"max_runtime", "1500000000"},
                                    {"max_entries", "10"},
                                    {"discard_old", "true"},
                                    {"max_tries", "5"},
                                    {"max_concurrent", "42"},
                                    {"max_retries", "7"},
                                    {"retry_policy/intervals/0", "1"},
                                    {"timeout_seconds", "60"},
                                    {"endpoint", "mail"},
                                    {"rate_limit/count", "50"},
                                    {"rate_limit/period_seconds", "2"},
                                    {"rate_limit/burst", "5"},
                                    {"retention/completed", "short"},
                                    {"retention/failed", "standard"}}) {
    EXPECT_EQ(made.text(path), value) << path;
  }
}

TEST_F(QueuesTest, RefusesWhatCannotBe) {
  struct Case {
    std::string_view fields, reason, field;
  };
  const Case cases[] = {
      {R"("max_age":3600000000000)", "invalid_duration", "max_age"},
      {R"("max_age":"not-a-duration")", "invalid_duration", "max_age"},
      {R"("max_age":"")", "invalid_duration", "max_age"},
      {R"("max_age":"1d")", "invalid_duration", "max_age"},
      {R"("max_age":"-1h")", "max_age_out_of_range", "max_age"},
      {R"("max_age":"999ms")", "max_age_out_of_range", "max_age"},
      {R"("max_runtime":60)", "invalid_duration", "max_runtime"},
      {R"("max_runtime":true)", "invalid_duration", "max_runtime"},
      {R"("max_runtime":"10ms")", "max_runtime_out_of_range", "max_runtime"},
      {R"("max_runtime":"99999999h")", "invalid_duration", "max_runtime"},
      {R"("max_entries":-1)", "max_entries_out_of_range", "max_entries"},
      {R"("max_entries":"10")", "invalid_type", "max_entries"},
      {R"("max_entries":1.5)", "invalid_type", "max_entries"},
      {R"("discard_old":"yes")", "invalid_type", "discard_old"},
      {R"("discard_old":1)", "invalid_type", "discard_old"},
      {R"("max_tries":0)", "max_tries_out_of_range", "max_tries"},
      {R"("max_tries":10001)", "max_tries_out_of_range", "max_tries"},
      {R"("max_concurrent":0)", "max_concurrent_out_of_range", "max_concurrent"},
      {R"("max_concurrent":10001)", "max_concurrent_out_of_range", "max_concurrent"},
      {R"("max_concurrent":99999999999999999999)", "max_concurrent_out_of_range", "max_concurrent"},
      {R"("max_retries":101)", "max_retries_out_of_range", "max_retries"},
      {R"("max_retries":-1)", "max_retries_out_of_range", "max_retries"},
      {R"("retry_policy":"often")", "unknown_retry_policy", "retry_policy"},
      {R"("retry_policy":{"intervals":[]})", "retry_policy_invalid", "retry_policy"},
      {R"("retry_policy":5)", "invalid_type", "retry_policy"},
      {R"("timeout_seconds":0)", "timeout_out_of_range", "timeout_seconds"},
      {R"("timeout_seconds":9223372036854775807)", "timeout_out_of_range", "timeout_seconds"},
      {R"("timeout":30)", "unknown_field", "timeout"},
      {R"("endpoint":"")", "endpoint_invalid", "endpoint"},
      {R"("endpoint":"a b")", "endpoint_invalid", "endpoint"},
      {R"("rate_limit":50)", "invalid_type", "rate_limit"},
      {R"("rate_limit":{})", "rate_limit_incomplete", "rate_limit.count"},
      {R"("rate_limit":{"count":5})", "rate_limit_incomplete", "rate_limit.period_seconds"},
      {R"("rate_limit":{"count":0,"period_seconds":1})", "rate_limit_out_of_range",
       "rate_limit.count"},
      {R"("rate_limit":{"count":1,"period_seconds":86401})", "rate_limit_out_of_range",
       "rate_limit.period_seconds"},
      {R"("rate_limit":{"count":1,"period_seconds":1,"burst":0})", "rate_limit_out_of_range",
       "rate_limit.burst"},
      {R"("rate_limit":{"count":1,"period_seconds":1,"brust":1})", "unknown_field",
       "rate_limit.brust"},
      {R"("rate_limit":{"count":"1","period_seconds":1})", "invalid_type", "rate_limit.count"},
      {R"("retention":"short")", "invalid_type", "retention"},
      {R"("retention":{"completed":"long"})", "retention_invalid", "retention.completed"},
      {R"("retention":{"failed":1})", "invalid_type", "retention.failed"},
      {R"("retention":{"deleted":"short"})", "unknown_field", "retention.deleted"},
      {R"("paused":true)", "unknown_field", "paused"},
      {R"("max_age":"1h","max_age":"2h")", "duplicate_field", "max_age"},
  };
  ASSERT_EQ(ask("PUT", "/v1/queues/there", "{}").status, 201);
  const Answer before = ask("GET", "/v1/queues/there");
  for (const auto& c : cases) {
    const std::string body = "{" + std::string(c.fields) + "}";
    for (const Answer& answer : {make(std::string(c.fields)), ask("PUT", "/v1/queues/new", body),
                                 ask("PATCH", "/v1/queues/there", body)}) {
      EXPECT_EQ(answer.status, 400) << c.fields;
      EXPECT_EQ(answer.reason(), c.reason) << c.fields;
      EXPECT_EQ(answer.field(), c.field) << c.fields;
    }
  }
  EXPECT_EQ(ask("GET", "/v1/queues/there").text("updated_at"), before.text("updated_at"));
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue"), 1);
}

TEST_F(QueuesTest, RefusesNamesThatCannotBe) {
  const std::string long_name(65, 'a');
  for (const auto& [body, reason] :
       {std::pair<std::string, std::string>{"{}", "queue_name_required"},
        {R"({"name":""})", "queue_name_required"},
        {R"({"name":"a b"})", "queue_name_invalid"},
        {R"({"name":"../etc"})", "queue_name_invalid"},
        {R"({"name":"\u0000"})", "queue_name_invalid"},
        {R"({"name":")" + long_name + R"("})", "queue_name_invalid"},
        {R"({"name":5})", "invalid_type"},
        {R"({"name":"DEFAULT"})", "default_queue_disallowed"}}) {
    const Answer answer = ask("POST", "/v1/queues", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.reason(), reason) << body;
    EXPECT_EQ(answer.field(), "name") << body;
  }
  EXPECT_EQ(ask("PUT", "/v1/queues/" + long_name, "{}").reason(), "queue_name_invalid");
  EXPECT_EQ(ask("PUT", "/v1/queues/DEFAULT", "{}").reason(), "default_queue_disallowed");
  EXPECT_EQ(ask("POST", "/v1/queues", "[]").reason(), "object_required");
  EXPECT_EQ(ask("POST", "/v1/queues", "").reason(), "invalid_json");
}

TEST_F(QueuesTest, MakesDefaultWhereTheServerAllowsIt) {
  start({.allow_create_default = true});
  EXPECT_EQ(ask("POST", "/v1/queues", R"({"name":"DEFAULT"})").status, 201);
  start({});
  EXPECT_EQ(ask("PUT", "/v1/queues/DEFAULT", "{}").status, 200) << "it is there already";
}

TEST_F(QueuesTest, IsMadeOnce) {
  ASSERT_EQ(make().status, 201);
  const Answer again = make();
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.text("error/code"), "duplicate");
  EXPECT_EQ(again.reason(), "queue_already_exists");
}

TEST_F(QueuesTest, PutMakesThenReplacesAllButThePause) {
  EXPECT_EQ(
      ask("PUT", "/v1/queues/q", R"({"max_tries":5,"max_concurrent":9,"max_runtime":"9s"})").status,
      201);
  ASSERT_EQ(ask("POST", "/v1/queues/q/pause").status, 200);
  const Answer replaced = ask("PUT", "/v1/queues/q", R"({"max_entries":7})");
  EXPECT_EQ(replaced.status, 200);
  EXPECT_EQ(replaced.text("max_entries"), "7");
  EXPECT_EQ(replaced.text("max_tries"), "-1");
  EXPECT_EQ(replaced.text("max_concurrent"), "-1");
  EXPECT_EQ(replaced.text("max_runtime"), "0");
  EXPECT_EQ(replaced.text("paused"), "true");
}

TEST_F(QueuesTest, PatchChangesWhatIsGivenAndNullUnsets) {
  ASSERT_EQ(
      make(R"("max_age":"1h","max_tries":5,"max_retries":9,"max_concurrent":9,"max_runtime":"9s",
                    "rate_limit":{"count":5,"period_seconds":1},"endpoint":"e",
                    "retention":{"completed":"short","failed":"short"})")
          .status,
      201);
  Answer now = patch(R"({"max_tries":6,"retention":{"failed":null}})");
  EXPECT_EQ(now.status, 200) << now.body;
  for (const auto& [path, value] : {std::pair{"max_tries", "6"},
                                    {"max_concurrent", "9"},
                                    {"max_runtime", "9000000000"},
                                    {"max_age", "3600000000000"},
                                    {"rate_limit/count", "5"},
                                    {"endpoint", "e"},
                                    {"retention/completed", "short"},
                                    {"retention/failed", "standard"}}) {
    EXPECT_EQ(now.text(path), value) << path;
  }
  now = patch(
      R"({"max_age":null,"max_tries":null,"max_retries":null,"rate_limit":null,"endpoint":null,
          "retention":null,"max_concurrent":null,"max_runtime":null})");
  for (const auto& [path, value] : {std::pair{"max_age", "0"},
                                    {"max_tries", "-1"},
                                    {"max_retries", "3"},
                                    {"rate_limit", "null"},
                                    {"endpoint", "null"},
                                    {"retention/completed", "standard"},
                                    {"max_concurrent", "-1"},
                                    {"max_runtime", "0"}}) {
    EXPECT_EQ(now.text(path), value) << path;
  }
  EXPECT_EQ(patch("{}").status, 200);
}

TEST_F(QueuesTest, PatchesOfDifferentFieldsDoNotUndoEachOther) {
  ASSERT_EQ(make().status, 201);
  std::vector<std::thread> both;
  for (const char* field : {"max_entries", "max_tries"}) {
    both.emplace_back([this, field] {
      for (int i = 1; i <= 20; ++i) {
        EXPECT_EQ(patch("{\"" + std::string(field) + "\":" + std::to_string(i) + "}").status, 200);
      }
    });
  }
  for (auto& each : both) each.join();
  const Answer now = ask("GET", "/v1/queues/q");
  EXPECT_EQ(now.text("max_entries"), "20");
  EXPECT_EQ(now.text("max_tries"), "20");
}

TEST_F(QueuesTest, ListsTheTenantsByName) {
  EXPECT_EQ(ask("GET", "/v1/queues").body, R"({"queues":[]})");
  admin_.script(
      "INSERT INTO postern.tenant (name) VALUES ('other');"
      "INSERT INTO postern.queue (tenant, name) VALUES ('other', 'theirs'), ('default', 'b'), "
      "('default', 'a')");
  const Answer list = ask("GET", "/v1/queues");
  EXPECT_EQ(list.at("queues").as_array().size(), 2u);
  EXPECT_EQ(list.text("queues/0/name"), "a");
  EXPECT_EQ(list.text("queues/1/name"), "b");
  EXPECT_EQ(ask("GET", "/v1/queues/theirs").status, 404);
}

TEST_F(QueuesTest, AnUnknownOneIsNotFound) {
  for (const auto& [method, path, body] : {std::tuple{"GET", "/v1/queues/no", ""},
                                           {"PATCH", "/v1/queues/no", "{}"},
                                           {"DELETE", "/v1/queues/no", ""},
                                           {"POST", "/v1/queues/no/purge", ""},
                                           {"POST", "/v1/queues/no/pause", ""},
                                           {"POST", "/v1/queues/no/resume", ""},
                                           {"GET", "/v1/queues/no/stats", ""}}) {
    const Answer answer = ask(method, path, body);
    EXPECT_EQ(answer.status, 404) << method << path;
    EXPECT_EQ(answer.reason(), "queue_not_found") << method << path;
  }
  EXPECT_EQ(ask("DELETE", "/v1/queues/no?force=true").reason(), "queue_not_found");
  EXPECT_EQ(ask("DELETE", "/v1/queues/no?force=1").reason(), "force_invalid");
}

TEST_F(QueuesTest, CountsWithoutLookingAtTasks) {
  ASSERT_EQ(create().status, 201);
  const std::string gone = create().text("id");
  ASSERT_EQ(ask("DELETE", "/v1/tasks/" + gone).status, 204);
  Answer stats = ask("GET", "/v1/queues/q/stats");
  ASSERT_EQ(stats.status, 200) << stats.body;
  EXPECT_EQ(stats.text("queue"), "q");
  EXPECT_EQ(stats.text("depth/total"), "1");
  EXPECT_EQ(stats.text("depth/ready"), "null");
  EXPECT_EQ(stats.text("totals/created"), "2");
  EXPECT_EQ(stats.text("totals/deleted"), "1");
  admin_.script(
      "INSERT INTO postern.queue_gauge VALUES ('default', 'q', now(), 5, 4, 3, 2, true, "
      "now() - interval '10 seconds')");
  stats = ask("GET", "/v1/queues/q/stats");
  for (const auto& [path, value] : {std::pair{"depth/ready", "5"},
                                    {"depth/delayed", "4"},
                                    {"depth/active", "3"},
                                    {"depth/blocked", "2"},
                                    {"depth/estimated", "true"},
                                    {"depth/total", "1"}}) {
    EXPECT_EQ(stats.text(path), value) << path;
  }
  EXPECT_GE(stats.at("depth/oldest_due_seconds").as_int64(), 10);
}

TEST_F(QueuesTest, NeedsARole) {
  ASSERT_EQ(make().status, 201);
  for (const auto& [method, path, allowed] : {std::tuple{"GET", "/v1/queues", 200},
                                              {"GET", "/v1/queues/q", 200},
                                              {"GET", "/v1/queues/q/stats", 200},
                                              {"POST", "/v1/queues", 403},
                                              {"PUT", "/v1/queues/q", 403},
                                              {"PATCH", "/v1/queues/q", 403},
                                              {"DELETE", "/v1/queues/q", 403},
                                              {"POST", "/v1/queues/q/purge", 403},
                                              {"POST", "/v1/queues/q/pause", 403},
                                              {"POST", "/v1/queues/q/resume", 403}}) {
    for (const char* role : {"worker", "read"}) {
      HttpRequest asked = request(method, path, "{}");
      asked.role = role;
      EXPECT_EQ(ask(asked).status, allowed) << role << ' ' << method << ' ' << path;
    }
  }
}

TEST_F(QueuesTest, TakesEveryFieldItShowsButItsOwnState) {
  ASSERT_EQ(ask("POST", "/v1/queues", R"({"name":"q"})").status, 201);
  std::vector<std::string_view> refused;
  for (const auto& field : wire::queue_fields()) {
    const Answer answer = ask("PATCH", "/v1/queues/q", fmt::format(R"({{"{}":null}})", field.name));
    if (answer.reason() == "unknown_field") refused.push_back(field.name);
  }
  EXPECT_EQ(refused,
            (std::vector<std::string_view>{"name", "time", "paused", "created_at", "updated_at"}));
}

}  // namespace
}  // namespace postern::test
