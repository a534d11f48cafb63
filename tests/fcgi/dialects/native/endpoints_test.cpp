// Endpoints over the wire: what may be said of one, and by whom.
#include "tests/fcgi/dialects/native/endpoints.h"

#include <fmt/format.h>

#include "core/wire/endpoint_json.h"

namespace postern::test {
namespace {

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
      R"({"success_rate":null,"p95_ms":null,"attempts":0,"window_seconds":3600,"in_flight":0,"breaker":"closed"})");
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
  for (const std::string name : {"nobody", "*", "a.b", "'"}) {
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

TEST_F(EndpointsTest, TakesEveryFieldItShowsButItsOwnState) {
  ASSERT_EQ(make("mail").status, 201);
  std::vector<std::string_view> refused;
  for (const auto& field : wire::endpoint_fields()) {
    const Answer answer =
        ask("PATCH", "/v1/endpoints/mail", fmt::format(R"({{"{}":null}})", field.name));
    if (answer.reason() == "unknown_field") refused.push_back(field.name);
  }
  EXPECT_EQ(refused, (std::vector<std::string_view>{"own_secret", "previous_secret_until",
                                                    "created_at", "updated_at"}));
}

}  // namespace
}  // namespace postern::test
