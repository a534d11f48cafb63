// Endpoints over the wire: what may be said of one, and what can be done with it.
#include "db/endpoints.h"

#include "core/lane.h"
#include "core/signing.h"
#include "db/routing.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

constexpr char kPath[] = "/v1/endpoints/mail";

class EndpointsTest : public WireTest {
 protected:
  Answer make(const std::string& name, const std::string& more = "") {
    return ask("POST", "/v1/endpoints",
               R"({"name":")" + name + R"(","url":"http://receiver.test/hook")" +
                   (more.empty() ? "" : "," + more) + "}");
  }
  std::string text(const std::string& sql) {
    return std::string(admin_.exec({"", sql.c_str()}).text(0, 0));
  }

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
        shard, id, tenant, dialect, queue, endpoint, method, priority, max_attempts, retry_policy, attempt,
        state, reason, resolved, finished_at)
      SELECT shard, id, tenant, dialect, queue, endpoint, method, priority, max_attempts, retry_policy, 1,
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

TEST_F(EndpointsTest, CreatesShowsAndLists) {
  HttpRequest post = request("POST", "/v1/endpoints", R"({
      "name": "mail", "url": "HTTP://Receiver.test:80", "method": "PUT", "headers": {"X-A": "1"}, "timeout_seconds": 5,
      "max_in_flight": 3, "rate_limit": {"count": 10, "period_seconds": 60, "burst": 2}, "paused": true})");
  post.base_path = "/queue";
  const Answer made = ask(post);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.headers.at("Location"), "/queue/v1/endpoints/mail");
  EXPECT_EQ(made.text("url"), "http://receiver.test/");
  EXPECT_EQ(made.text("method"), "PUT");
  EXPECT_EQ(made.text("headers/X-A"), "1");
  EXPECT_EQ(made.text("timeout_seconds"), "5");
  EXPECT_EQ(made.text("max_in_flight"), "3");
  EXPECT_EQ(made.text("rate_limit"), R"({"count":10,"period_seconds":60,"burst":2})");
  EXPECT_EQ(made.text("paused"), "true");
  EXPECT_EQ(made.text("own_secret"), "false");

  auto shown = ask("GET", kPath).json();
  EXPECT_EQ(
      boost::json::serialize(shown.at("health")),
      R"({"success_rate":null,"p95_ms":null,"attempts":0,"window_seconds":3600,"breaker":"closed"})");
  shown.erase("health");
  EXPECT_EQ(shown, made.json());
  EXPECT_EQ(ask("GET", "/v1/endpoints").text("endpoints/0"), boost::json::serialize(made.json()));

  const Answer plain = make("plain");
  EXPECT_EQ(plain.text("method"), "POST");
  EXPECT_EQ(plain.text("paused"), "false");
  for (const auto* absent : {"headers", "timeout_seconds", "max_in_flight", "rate_limit", "secret",
                             "previous_secret_until", "health"}) {
    EXPECT_FALSE(plain.json().contains(absent)) << absent;
  }
}

TEST_F(EndpointsTest, KnowsTheCatchAllByBothSpellings) {
  const Answer made = make("*");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.text("name"), "");
  EXPECT_EQ(made.headers.at("Location"), "/v1/endpoints/*");
  EXPECT_EQ(make("").reason(), "endpoint_already_exists");
  EXPECT_EQ(ask("GET", "/v1/endpoints/*").text("name"), "");
  EXPECT_EQ(ask("PATCH", "/v1/endpoints/*", R"({"name":"","paused":true})").text("paused"), "true");
  EXPECT_EQ(ask("DELETE", "/v1/endpoints/*").status, 204);
  EXPECT_EQ(ask("GET", "/v1/endpoints/*").reason(), "endpoint_not_found");
}

TEST_F(EndpointsTest, ListsPageByPage) {
  for (const auto* name : {"b", "*", "a", "c"}) ASSERT_EQ(make(name).status, 201);
  std::vector<std::string> seen;
  std::string path = "/v1/endpoints?limit=1";
  for (int i = 0; i < 10; ++i) {
    const Answer page = ask("GET", path);
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_EQ(page.text("count"), "1");
    seen.push_back(page.text("endpoints/0/name"));
    if (!page.json().contains("next_cursor")) break;
    path = "/v1/endpoints?limit=1&cursor=" + page.text("next_cursor");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"", "a", "b", "c"}));
  EXPECT_EQ(ask("GET", "/v1/endpoints").text("count"), "4");
  for (const auto& [query, reason] : {std::pair{"limit=0", "limit_invalid"},
                                      {"limit=101", "limit_invalid"},
                                      {"limit=x", "limit_invalid"},
                                      {"cursor=a.b", "cursor_invalid"}}) {
    EXPECT_EQ(ask("GET", std::string("/v1/endpoints?") + query).reason(), reason) << query;
  }
}

// Of all three that take settings, what is wrong with them.
TEST_F(EndpointsTest, RefusesSettingsThatCannotBe) {
  struct Case {
    std::string fields, reason, field;
  };
  const std::string long_url = "\"http://a.test/" + std::string(2048, 'x') + '"';
  const Case cases[] = {
      {R"("url":null)", "url_required", "url"},
      {R"("url":7)", "invalid_type", "url"},
      {R"("url":"")", "url_invalid", "url"},
      {R"("url":"ftp://a.test/")", "url_invalid", "url"},
      {R"("url":"http://u:p@a.test/")", "url_invalid", "url"},
      {"\"url\":" + long_url, "url_invalid", "url"},
      {R"("method":"get")", "method_invalid", "method"},
      {R"("method":["GET"])", "invalid_type", "method"},
      {R"("headers":"X: 1")", "invalid_type", "headers"},
      {R"("headers":{"X":1})", "invalid_type", "headers.X"},
      {R"("headers":{"Host":"x"})", "header_reserved", "headers.Host"},
      {R"("headers":{"A":"1","a":"2"})", "header_repeated", "headers.a"},
      {R"("headers":{"A":"x\r\ny"})", "header_value_invalid", "headers.A"},
      {R"("headers":{"A B":"x"})", "header_name_invalid", "headers.A B"},
      {R"("timeout_seconds":0)", "timeout_out_of_range", "timeout_seconds"},
      {R"("timeout_seconds":1801)", "timeout_out_of_range", "timeout_seconds"},
      {R"("timeout_seconds":9223372036854775807)", "timeout_out_of_range", "timeout_seconds"},
      {R"("timeout_seconds":1.5)", "invalid_type", "timeout_seconds"},
      {R"("timeout_seconds":"5s")", "invalid_type", "timeout_seconds"},
      {R"("max_in_flight":0)", "max_in_flight_out_of_range", "max_in_flight"},
      {R"("max_in_flight":100001)", "max_in_flight_out_of_range", "max_in_flight"},
      {R"("max_in_flight":"3")", "invalid_type", "max_in_flight"},
      {R"("rate_limit":10)", "invalid_type", "rate_limit"},
      {R"("rate_limit":{})", "rate_limit_incomplete", "rate_limit.count"},
      {R"("rate_limit":{"count":1})", "rate_limit_incomplete", "rate_limit.period_seconds"},
      {R"("rate_limit":{"count":"1","period_seconds":1})", "invalid_type", "rate_limit.count"},
      {R"("rate_limit":{"count":0,"period_seconds":1})", "rate_limit_out_of_range",
       "rate_limit.count"},
      {R"("rate_limit":{"count":1,"period_seconds":0})", "rate_limit_out_of_range",
       "rate_limit.period_seconds"},
      {R"("rate_limit":{"count":1,"period_seconds":86401})", "rate_limit_out_of_range",
       "rate_limit.period_seconds"},
      {R"("rate_limit":{"count":1,"period_seconds":1,"burst":0})", "rate_limit_out_of_range",
       "rate_limit.burst"},
      {R"("rate_limit":{"count":9223372036854775807,"period_seconds":1})",
       "rate_limit_out_of_range", "rate_limit.count"},
      {R"("rate_limit":{"count":1,"period_seconds":1,"per":1})", "unknown_field", "rate_limit.per"},
      {R"("rate_limit":{"count":1,"count":1,"period_seconds":1})", "duplicate_field", "count"},
      {R"("paused":"yes")", "invalid_type", "paused"},
      {R"("paused":1)", "invalid_type", "paused"},
      {R"("timeout":5)", "unknown_field", "timeout"},
  };
  ASSERT_EQ(make("mail").status, 201);
  for (const auto& [fields, reason, field] : cases) {
    const std::string with_url =
        fields.starts_with("\"url\"") ? fields : R"("url":"http://a.test/",)" + fields;
    for (const auto& [method, path, body] :
         {std::tuple{"POST", "/v1/endpoints", R"({"name":"other",)" + with_url + "}"},
          {"PUT", "/v1/endpoints/other", "{" + with_url + "}"},
          {"PATCH", kPath, "{" + fields + "}"}}) {
      const Answer answer = ask(method, path, body);
      EXPECT_EQ(answer.status, 400) << method << body;
      EXPECT_EQ(answer.reason(), reason) << method << body;
      if (field != "count") {
        EXPECT_EQ(answer.field(), field) << method << body;
      }
    }
  }
  EXPECT_EQ(count("SELECT count(*) FROM postern.endpoint"), 1);
  EXPECT_EQ(text("SELECT url FROM postern.endpoint"), "http://receiver.test/hook");
}

TEST_F(EndpointsTest, RefusesWhatOneRouteCannotTake) {
  ASSERT_EQ(make("mail").status, 201);
  struct Case {
    const char *method, *path, *body;
    int status;
    std::string_view reason, field;
  };
  const std::string long_name =
      R"({"url":"http://a.test/","name":")" + std::string(129, 'x') + "\"}";
  const Case cases[] = {
      {"POST", "/v1/endpoints", "", 400, "invalid_json", ""},
      {"POST", "/v1/endpoints", "[]", 400, "object_required", ""},
      {"POST", "/v1/endpoints", R"({"name":"a"})", 400, "url_required", "url"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/"})", 400, "endpoint_name_required",
       "name"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/","name":7})", 400, "invalid_type",
       "name"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/","name":"a.b"})", 400,
       "endpoint_name_invalid", "name"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/","name":"a*"})", 400,
       "endpoint_name_invalid", "name"},
      {"POST", "/v1/endpoints", long_name.c_str(), 400, "endpoint_name_invalid", "name"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/","name":"mail"})", 409,
       "endpoint_already_exists", "name"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/","name":"a","secret":"whsec_x"})", 400,
       "secret_invalid", "secret"},
      {"POST", "/v1/endpoints", R"({"url":"http://a.test/","name":"a","secret":true})", 400,
       "invalid_type", "secret"},
      {"PUT", kPath, "", 400, "invalid_json", ""},
      {"PUT", kPath, "{}", 400, "url_required", "url"},
      {"PUT", kPath, R"({"url":"http://a.test/","name":"other"})", 400, "endpoint_name_differs",
       "name"},
      {"PUT", kPath, R"({"url":"http://a.test/","secret":"whsec_x"})", 400, "secret_invalid",
       "secret"},
      {"PUT", "/v1/endpoints/a.b", R"({"url":"http://a.test/"})", 400, "endpoint_name_invalid",
       "name"},
      {"PATCH", kPath, "", 400, "invalid_json", ""},
      {"PATCH", kPath, R"({"name":"other"})", 400, "endpoint_name_differs", "name"},
      {"PATCH", kPath, R"({"secret":"whsec_x"})", 400, "secret_invalid", "secret"},
      {"POST", "/v1/endpoints/mail/rotate?force=1", "", 400, "force_invalid", "force"},
      {"POST", "/v1/endpoints/mail/rotate", "[]", 400, "object_required", ""},
      {"POST", "/v1/endpoints/mail/rotate", R"({"secret":"short"})", 400, "secret_invalid",
       "secret"},
      {"POST", "/v1/endpoints/mail/rotate", R"({"secret":7})", 400, "invalid_type", "secret"},
      {"POST", "/v1/endpoints/mail/rotate", R"({"force":true})", 400, "unknown_field", "force"},
      {"POST", "/v1/endpoints/mail/test", R"({"queue":"a b"})", 400, "queue_name_invalid", "queue"},
      {"POST", "/v1/endpoints/mail/test", R"({"queue":7})", 400, "invalid_type", "queue"},
      {"POST", "/v1/endpoints/mail/test", R"({"payload":"x"})", 400, "payload_invalid", "payload"},
      {"POST", "/v1/endpoints/mail/test", R"({"priority":1})", 400, "unknown_field", "priority"},
      {"POST", "/v1/endpoints/mail/test", "x", 400, "invalid_json", ""},
      {"POST", "/v1/endpoints/mail/recover", "", 400, "invalid_json", ""},
      {"POST", "/v1/endpoints/mail/recover", "{}", 400, "since_required", "since"},
      {"POST", "/v1/endpoints/mail/recover", R"({"since":"yesterday"})", 400, "time_invalid",
       "since"},
      {"POST", "/v1/endpoints/mail/recover", R"({"since":1736937302})", 400, "invalid_type",
       "since"},
      {"POST", "/v1/endpoints/mail/recover", R"({"since":"2025-01-01T00:00:00Z","until":"x"})", 400,
       "time_invalid", "until"},
      {"POST", "/v1/endpoints/mail/recover",
       R"({"since":"2025-01-01T00:00:00Z","until":"2025-01-01T00:00:00Z"})", 400,
       "until_before_since", "until"},
      {"POST", "/v1/endpoints/mail/recover", R"({"since":"2025-01-01T00:00:00Z","limit":1})", 400,
       "unknown_field", "limit"},
  };
  for (const auto& each : cases) {
    const Answer answer = ask(each.method, each.path, each.body);
    EXPECT_EQ(answer.status, each.status) << each.method << each.path << each.body;
    EXPECT_EQ(answer.reason(), each.reason) << each.method << each.path << each.body;
    if (!each.field.empty()) {
      EXPECT_EQ(answer.field(), each.field) << each.method << each.path << each.body;
    }
  }
  EXPECT_EQ(make("mail").text("error/code"), "duplicate");
  EXPECT_EQ(count("SELECT count(*) FROM postern.endpoint"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
}

TEST_F(EndpointsTest, KnowsNoOthers) {
  for (const std::string name : {"nobody", "*", "a.b", "'", "\xFF"}) {
    const std::string path = "/v1/endpoints/" + name;
    for (const auto& [method, rest, body] :
         {std::tuple{"GET", "", ""},
          {"PATCH", "", "{}"},
          {"DELETE", "", ""},
          {"POST", "/rotate", ""},
          {"POST", "/test", ""},
          {"POST", "/pause", ""},
          {"POST", "/resume", ""},
          {"POST", "/recover", R"({"since":"2025-01-01T00:00:00Z"})"}}) {
      const Answer answer = ask(method, path + rest, body);
      EXPECT_EQ(answer.status, 404) << method << path << rest;
      EXPECT_EQ(answer.reason(), "endpoint_not_found") << method << path << rest;
    }
  }
}

TEST_F(EndpointsTest, RolesAndTenantsDoWhatTheyMay) {
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme')");
  ASSERT_EQ(make("mail").status, 201);
  struct Case {
    const char *method, *rest;
    bool worker, read;
  };
  const Case cases[] = {{"GET", "", true, true},           {"PATCH", "", false, false},
                        {"PUT", "", false, false},         {"DELETE", "", false, false},
                        {"POST", "/rotate", false, false}, {"POST", "/test", false, false},
                        {"POST", "/pause", false, false},  {"POST", "/resume", false, false},
                        {"POST", "/recover", true, false}};
  for (const auto& each : cases) {
    for (const std::string role : {"worker", "read"}) {
      HttpRequest call = request(each.method, std::string(kPath) + each.rest);
      call.role = role;
      const bool allowed = role == "worker" ? each.worker : each.read;
      EXPECT_EQ(ask(call).status == 403, !allowed) << role << each.method << each.rest;
    }
    HttpRequest theirs =
        request(each.method, std::string(kPath) + each.rest, R"({"url":"http://b.test/"})");
    theirs.key_tenant = "acme";
    if (std::string_view(each.method) == "PUT") continue;  // makes one of their own
    if (std::string_view(each.rest) == "/recover")
      theirs.body = R"({"since":"2025-01-01T00:00:00Z"})";
    if (std::string_view(each.rest) == "/test" || std::string_view(each.rest) == "/rotate")
      theirs.body = "";
    EXPECT_EQ(ask(theirs).reason(), "endpoint_not_found") << each.method << each.rest;
  }
  HttpRequest list = request("GET", "/v1/endpoints");
  list.key_tenant = "acme";
  EXPECT_EQ(ask(list).text("count"), "0");
  for (auto call : {request("POST", "/v1/endpoints", R"({"name":"x","url":"http://b.test/"})"),
                    request("PUT", "/v1/endpoints/x", R"({"url":"http://b.test/"})")}) {
    call.key_tenant = "nobody";
    EXPECT_EQ(ask(call).reason(), "tenant_not_found") << call.method;
  }
}

TEST_F(EndpointsTest, PatchChangesWhatItNamesAndNullTakesAway) {
  ASSERT_EQ(
      make("mail", R"("method":"PUT","headers":{"A":"1"},"timeout_seconds":9,"max_in_flight":2,
                            "rate_limit":{"count":1,"period_seconds":1,"burst":3},"paused":true)")
          .status,
      201);
  const auto before = ask("GET", kPath).json();
  EXPECT_EQ(ask("PATCH", kPath, "{}").text("max_in_flight"), "2");
  auto after = ask("GET", kPath).json();
  EXPECT_EQ(after.at("rate_limit"), before.at("rate_limit"));
  EXPECT_EQ(after.at("headers"), before.at("headers"));

  const Answer changed =
      ask("PATCH", kPath, R"({"url":"http://b.test","rate_limit":{"count":5,"period_seconds":2}})");
  EXPECT_EQ(changed.text("url"), "http://b.test/");
  EXPECT_EQ(changed.text("rate_limit"), R"({"count":5,"period_seconds":2})");
  EXPECT_EQ(changed.text("timeout_seconds"), "9");
  EXPECT_EQ(changed.text("paused"), "true");

  const Answer bare = ask(
      "PATCH", kPath, R"({"method":null,"headers":null,"timeout_seconds":null,"max_in_flight":null,
                                              "rate_limit":null,"paused":null})");
  EXPECT_EQ(bare.status, 200) << bare.body;
  EXPECT_EQ(bare.text("method"), "POST");
  EXPECT_EQ(bare.text("paused"), "false");
  for (const auto* absent : {"headers", "timeout_seconds", "max_in_flight", "rate_limit"}) {
    EXPECT_FALSE(bare.json().contains(absent)) << absent;
  }
}

TEST_F(EndpointsTest, PutMakesOrReplacesButKeepsPauseAndSecret) {
  const Answer made = ask("PUT", kPath, R"({"url":"http://a.test/","max_in_flight":2})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.at("Location"), kPath);
  ask("POST", std::string(kPath) + "/pause");
  ask("POST", std::string(kPath) + "/rotate");
  const Answer replaced = ask("PUT", kPath, R"({"url":"http://b.test/","name":"mail"})");
  EXPECT_EQ(replaced.status, 200);
  EXPECT_EQ(replaced.text("url"), "http://b.test/");
  EXPECT_FALSE(replaced.json().contains("max_in_flight"));
  EXPECT_EQ(replaced.text("paused"), "true");
  EXPECT_EQ(replaced.text("own_secret"), "true");
  EXPECT_EQ(ask("PUT", kPath, R"({"url":"http://b.test/","paused":false})").text("paused"),
            "false");
}

TEST_F(EndpointsTest, RotatesOnceWithinTheOverlap) {
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

TEST_F(EndpointsTest, ATestIsATaskOfOneAttempt) {
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

TEST_F(EndpointsTest, RecoversWhatFailedHereAndThen) {
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

TEST_F(EndpointsTest, HealthAddsUpTheLastHourOfAllSchedulers) {
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

TEST_F(EndpointsTest, HealthTellsTheWorstBreakerOfItsLanes) {
  for (const auto* name : {"mail", "mail:bulk"}) make(name);
  const auto lane = [&](const std::string& target) {
    const auto id = lane_id("default", "q", target);
    db::make_lane(admin_, id, "default", "q", target);
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
