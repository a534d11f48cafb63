// What the native dialect refuses, field by field: the wire's own errors. The rules behind them are
// in core/validate and, with the database, in native_test.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "fcgi/dialects/native/wire.h"

namespace postern::native_wire {
namespace {

TEST(ParseCreation, ReadsTheExampleOfTheDocumentation) {
  const std::string_view body = R"({
    "queue": "emails",
    "webhook_url": "https://your-app.com/webhooks/send-email",
    "payload": {"to": "user@example.com", "template": "welcome"},
    "delay": 300,
    "priority": 8
  })";
  const Result<Creation> wanted = parse_creation(body);
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->queue, "emails");
  EXPECT_EQ(wanted->url, "https://your-app.com/webhooks/send-email");
  EXPECT_EQ(wanted->body, R"({"to": "user@example.com", "template": "welcome"})");
  EXPECT_EQ(wanted->body_form, BodyForm::payload);
  EXPECT_EQ(wanted->delay, 300);
  EXPECT_EQ(wanted->priority, 80);
  EXPECT_FALSE(wanted->method);
  EXPECT_FALSE(wanted->max_retries);
}

TEST(ParseCreation, ReadsEveryField) {
  const Result<Creation> wanted = parse_creation(R"({
    "queue":"q","webhook_url":"https://a.test/","method":"PUT","headers":{"X-A":"1"},
    "payload_base64":"AP8=","content_type":"application/octet-stream","timeout":120,
    "run_at":"2030-01-01T00:00:00Z","deadline":"2031-01-01T00:00:00Z","max_retries":7,
    "retry_policy":{"intervals":[1,2.5],"jitter":0.1},"tags":["a","b"]})");
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->method, "PUT");
  EXPECT_EQ(wanted->headers, (Headers{{"X-A", "1"}}));
  EXPECT_EQ(wanted->body, std::string("\0\xFF", 2));
  EXPECT_EQ(wanted->body_form, BodyForm::raw);
  EXPECT_EQ(wanted->content_type, "application/octet-stream");
  EXPECT_EQ(wanted->timeout, Milliseconds{120'000});
  EXPECT_EQ(wanted->run_at, parse_rfc3339("2030-01-01T00:00:00Z"));
  EXPECT_EQ(wanted->deadline, parse_rfc3339("2031-01-01T00:00:00Z"));
  EXPECT_EQ(wanted->max_retries, 7);
  EXPECT_EQ(wanted->retry_policy, R"({"intervals":[1,2.5],"jitter":0.1})");
  EXPECT_EQ(wanted->tags, (std::vector<std::string>{"a", "b"}));
}

TEST(ParseCreation, KeepsThePayloadByteForByte) {
  for (const std::string_view payload :
       {R"({ "b":1, "a" : 1e2,"n":-0,"a":2 })", R"({"nul":"\u0000","pair":"\ud83d\udc18"})",
        R"({"big":123456789012345678901234567890})", "{}", "{\n\t}"}) {
    const auto wanted = parse_creation(R"({"payload":)" + std::string(payload) + "}");
    ASSERT_TRUE(wanted) << payload << ": " << wanted.error().message;
    EXPECT_EQ(wanted->body, payload);
  }
}

struct Refused {
  std::string_view fields, reason, field;
};

TEST(ParseCreation, RefusesFieldByField) {
  const Refused cases[] = {
      {R"("queue":5)", "invalid_type", "queue"},
      {R"("webhook_url":["https://a.test/"])", "invalid_type", "webhook_url"},
      {R"("payload":[1])", "payload_invalid", "payload"},
      {R"("payload":"{}")", "payload_invalid", "payload"},
      {R"("payload":1)", "payload_invalid", "payload"},
      {R"("body":{})", "invalid_type", "body"},
      {R"("payload_base64":"a")", "payload_base64_invalid", "payload_base64"},
      {R"("payload_base64":"a-_=")", "payload_base64_invalid", "payload_base64"},
      {R"("payload":{},"body":"x")", "payload_both_set", "payload"},
      {R"("payload":{},"payload_base64":"AA==")", "payload_both_set", "payload"},
      {R"("body":"x","payload_base64":"AA==")", "payload_both_set", "payload"},
      {R"("body":"x","content_type":"no type")", "content_type_invalid", "content_type"},
      {R"("body":"x","content_type":"")", "content_type_invalid", "content_type"},
      {R"("payload":{},"content_type":"text/plain")", "content_type_invalid", "content_type"},
      {R"("content_type":"text/plain")", "content_type_invalid", "content_type"},
      {R"("delay":"5")", "invalid_type", "delay"},
      {R"("delay":1.5)", "invalid_type", "delay"},
      {R"("delay":1e3)", "invalid_type", "delay"},
      {R"("priority":0)", "priority_out_of_range", "priority"},
      {R"("priority":11)", "priority_out_of_range", "priority"},
      {R"("priority":-9223372036854775809)", "priority_out_of_range", "priority"},
      {R"("priority":"high")", "invalid_type", "priority"},
      {R"("priority":true)", "invalid_type", "priority"},
      {R"("max_retries":2.0)", "invalid_type", "max_retries"},
      {R"("method":1)", "invalid_type", "method"},
      {R"("headers":[])", "invalid_type", "headers"},
      {R"("headers":{"A":1})", "invalid_type", "headers.A"},
      {R"("headers":{"A":"1","A":"1"})", "duplicate_field", "headers.A"},
      {R"("timeout":"30s")", "invalid_type", "timeout"},
      {R"("run_at":1735689600)", "invalid_type", "run_at"},
      {R"("run_at":"tomorrow")", "time_invalid", "run_at"},
      {R"("deadline":"2025-13-01T00:00:00Z")", "time_invalid", "deadline"},
      {R"("retry_policy":5)", "invalid_type", "retry_policy"},
      {R"("tags":"a")", "invalid_type", "tags"},
      {R"("tags":[1])", "invalid_type", "tags"},
      {R"("endpoint":7)", "invalid_type", "endpoint"},
      {R"("key":7)", "invalid_type", "key"},
      {R"("dependencies":"task_01")", "invalid_type", "dependencies"},
      {R"("on_complete_url":7)", "invalid_type", "on_complete_url"},
      {R"("on_failure_url":[])", "invalid_type", "on_failure_url"},
      {R"("dealy":5)", "unknown_field", "dealy"},
      {R"("Queue":"q")", "unknown_field", "Queue"},
      {R"("queue":"a","queue":"a")", "duplicate_field", "queue"},
      {R"("queue":"\ud800")", "invalid_json", "queue"},
  };
  for (const auto& [fields, reason, field] : cases) {
    const auto wanted = parse_creation("{" + std::string(fields) + "}");
    ASSERT_FALSE(wanted) << fields;
    EXPECT_EQ(wanted.error().code, Errc::invalid_argument) << fields;
    EXPECT_EQ(wanted.error().reason, reason) << fields;
    EXPECT_EQ(wanted.error().field, field) << fields;
    EXPECT_FALSE(wanted.error().message.empty()) << fields;
  }
}

TEST(ParseCreation, RefusesWhatIsNoJsonObject) {
  std::string deep = R"({"payload":)";
  for (int i = 0; i < 64; ++i) deep += R"({"a":)";
  deep += "1" + std::string(65, '}');
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[]"), std::string("{"),
        std::string("{}{}"), std::string("\xEF\xBB\xBF{}"), std::string("{\"a\":NaN}"),
        std::string("{'a':1}"), std::string("{\"a\":1,}"), std::string("{\"a\":\"\x01\"}"),
        std::string(100'000, '['), deep}) {
    const auto wanted = parse_creation(body);
    ASSERT_FALSE(wanted) << body.substr(0, 50);
    EXPECT_EQ(wanted.error().code, Errc::invalid_argument);
  }
}

TEST(ParseFilter, ReadsEveryParameter) {
  const auto filter = parse_filter(
      "queue=emails&status=pending&tag=a&created_since=2025-01-15&created_until=2025-01-16T00:00:"
      "00Z"
      "&limit=100&offset=10000&other=x&other=y");
  ASSERT_TRUE(filter);
  EXPECT_EQ(filter->queue, "emails");
  EXPECT_EQ(filter->states, (std::vector<State>{State::ready, State::delayed}));
  EXPECT_EQ(filter->tag, "a");
  EXPECT_EQ(filter->created_since, parse_rfc3339("2025-01-15T00:00:00Z"));
  EXPECT_EQ(filter->limit, 100);
  EXPECT_EQ(filter->offset, 10'000);
  EXPECT_EQ(parse_filter("")->limit, 20);
  EXPECT_EQ(parse_filter("status=failed")->states, std::vector<State>{State::failed});
  EXPECT_TRUE(parse_filter("cursor=task_01h455vb4pex5vsknk084sn02q")->before);
}

TEST(ParseFilter, RefusesParameterByParameter) {
  const Refused cases[] = {
      {"limit=0", "limit_invalid", "limit"},
      {"limit=-1", "limit_invalid", "limit"},
      {"limit=101", "limit_invalid", "limit"},
      {"limit=1000000000000000000000", "limit_invalid", "limit"},
      {"limit=", "limit_invalid", "limit"},
      {"limit=ten", "limit_invalid", "limit"},
      {"limit=1&limit=2", "parameter_repeated", "limit"},
      {"offset=-1", "offset_invalid", "offset"},
      {"offset=10001", "offset_invalid", "offset"},
      {"offset=1000000000", "offset_invalid", "offset"},
      {"status=done", "status_invalid", "status"},
      {"status=", "status_invalid", "status"},
      {"status=ready", "status_invalid", "status"},
      {"status=pending&status=active", "parameter_repeated", "status"},
      {"queue=a%20b", "queue_name_invalid", "queue"},
      {"queue=", "queue_name_required", "queue"},
      {"queue='%20OR%201=1", "queue_name_invalid", "queue"},
      {"tag=a,b", "tag_invalid", "tag"},
      {"created_since=yesterday", "time_invalid", "created_since"},
      {"created_until=2025-02-30", "time_invalid", "created_until"},
      {"cursor=x", "cursor_invalid", "cursor"},
      {"endpoint=a%20b", "endpoint_invalid", "endpoint"},
      {"cursor=task_01h455vb4pex5vsknk084sn02q&offset=1", "cursor_invalid", "cursor"},
      {"tag=%ff", "query_invalid", ""},
      {"priority=5", "filter_unknown", "priority"},
      {"webhook_url=http://a.test/", "filter_unknown", "webhook_url"},
      {"queue=q&tags=a", "filter_unknown", "tags"},
      {"id=1", "filter_unknown", "id"},
      {"tag=%00", "query_invalid", ""},
  };
  for (const auto& [query, reason, field] : cases) {
    const auto filter = parse_filter(query);
    ASSERT_FALSE(filter) << query;
    EXPECT_EQ(filter.error().reason, reason) << query;
    EXPECT_EQ(filter.error().field, field) << query;
  }
}

TEST(ParseWait, Clamps) {
  const std::pair<std::string_view, int> cases[] = {
      {"", 0},         {"wait=0", 0},  {"wait=25", 25},
      {"wait=26", 25}, {"wait=-1", 0}, {"wait=99999999999999999999", 25}};
  for (const auto& [query, seconds] : cases)
    EXPECT_EQ(parse_wait(query).value(), Seconds{seconds}) << query;
  for (const std::string_view query : {"wait=", "wait=5s", "wait=1.5", "wait=1&wait=1"}) {
    EXPECT_FALSE(parse_wait(query)) << query;
  }
}

TEST(ParseCreation, TakesEveryFieldThatATaskShowsButItsOwnState) {
  std::vector<std::string_view> refused;
  for (const auto& field : wire::task_fields()) {
    const auto wanted = parse_creation(fmt::format(R"({{"{}":null}})", field.name));
    if (!wanted && wanted.error().reason == "unknown_field") refused.push_back(field.name);
  }
  EXPECT_EQ(refused,
            (std::vector<std::string_view>{"id", "status", "deferred", "reason", "next_attempt_at",
                                           "resolved_endpoint", "payload_omitted", "schedule",
                                           "attempts", "attempt_count", "last_error", "result",
                                           "created_at", "updated_at", "completed_at"}));
}

}  // namespace
}  // namespace postern::native_wire
