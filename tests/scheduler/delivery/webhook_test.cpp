#include "scheduler/delivery/webhook.h"

#include <gtest/gtest.h>

#include <optional>

#include "core/base/crypto.h"
#include "core/base/hex.h"
#include "core/model/ids.h"
#include "core/security/signing.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

const Time kNow = Time{Seconds{1'767'225'600}} + 999'999us;
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kPrevious[] = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

db::Claimed claimed() {
  db::Claimed task;
  task.spec.id = *parse_task_id("task_01hzy3v7k2e8s9q4r5t6w7x8y9");
  task.spec.queue = "mail";
  task.spec.url = "https://example.com/hook?a=1";
  task.spec.body = R"({"n":1e2, "z":"\u0000"})";
  task.attempt = 2;
  task.secrets = {kSecret};
  return task;
}

std::optional<std::string> header(const OutgoingRequest& request, std::string_view name) {
  std::optional<std::string> value;
  for (const auto& each : request.headers) {
    if (!equal_ignoring_case(each.name, name)) continue;
    EXPECT_FALSE(value) << name << " is there twice";
    value = each.value;
  }
  return value;
}

TEST(Webhook, WrapsThePayloadUnchanged) {
  auto task = claimed();
  task.spec.timeout = 7s;
  task.spec.headers = {{"X-Mine", "yes"}};
  const auto request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url.canonical(), "https://example.com/hook?a=1");
  EXPECT_EQ(request.timeout, 7s);
  EXPECT_FALSE(request.fresh_connection);
  EXPECT_EQ(request.body, R"({"task_id":"task_01hzy3v7k2e8s9q4r5t6w7x8y9","queue":"mail",)"
                          R"("payload":{"n":1e2, "z":"\u0000"},"attempt":2})");
  EXPECT_EQ(header(request, "Content-Type"), "application/json");
  EXPECT_EQ(header(request, "X-Mine"), "yes");
  EXPECT_EQ(header(request, "Postern-Attempt"), "2");
  EXPECT_EQ(header(request, "Postern-Queue"), "mail");
  EXPECT_EQ(header(request, "traceparent"), std::nullopt);
}

TEST(Webhook, IsSignedOverTheBytesThatAreSent) {
  auto task = claimed();
  task.secrets = {kSecret, kPrevious};
  const auto request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(header(request, "webhook-id"), "task_01hzy3v7k2e8s9q4r5t6w7x8y9");
  EXPECT_EQ(header(request, "webhook-timestamp"), "1767225600");
  const auto signature = standard_webhooks_signature(
      task.secrets, "task_01hzy3v7k2e8s9q4r5t6w7x8y9", kNow, request.body);
  EXPECT_EQ(header(request, "webhook-signature"), signature);
  EXPECT_NE(signature.find(" v1,"), std::string::npos) << "the previous secret signs too";

  task.attempt = 3;
  const auto next = webhook(task, kNow + 5s, "https://api.example").value();
  EXPECT_EQ(header(next, "webhook-id"), header(request, "webhook-id"));
  EXPECT_EQ(header(next, "webhook-timestamp"), "1767225605");
  EXPECT_NE(header(next, "webhook-signature"), header(request, "webhook-signature"));
}

TEST(Webhook, IsNotSignedWithoutASecret) {
  auto task = claimed();
  task.secrets.clear();
  const auto request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(header(request, "webhook-signature"), std::nullopt);
  EXPECT_TRUE(header(request, "webhook-id"));
}

TEST(Webhook, SendsARawBodyAsItIs) {
  auto task = claimed();
  task.spec.body_form = BodyForm::raw;
  task.spec.body = std::string("a\0b", 3);
  task.spec.content_type = "text/plain";
  auto request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(request.body, *task.spec.body);
  EXPECT_EQ(header(request, "Content-Type"), "text/plain");

  task.spec.content_type.clear();
  request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(header(request, "Content-Type"), std::nullopt);
}

TEST(Webhook, HasABodyOnlyWhereItBelongs) {
  const struct {
    const char* method;
    bool given;
    bool sent;
  } cases[] = {
      {"GET", true, false},     {"GET", false, false}, {"DELETE", true, true},
      {"DELETE", false, false}, {"POST", false, true}, {"PUT", false, true},
      {"PATCH", true, true},
  };
  for (const auto& [method, given, sent] : cases) {
    auto task = claimed();
    task.spec.method = method;
    if (!given) task.spec.body.reset();
    const auto request = webhook(task, kNow, "https://api.example").value();
    EXPECT_EQ(!request.body.empty(), sent) << method << given;
    EXPECT_EQ(header(request, "Content-Type").has_value(), sent) << method << given;
    EXPECT_EQ(header(request, "webhook-signature"),
              standard_webhooks_signature(task.secrets, "task_01hzy3v7k2e8s9q4r5t6w7x8y9", kNow,
                                          request.body));
  }
}

TEST(Webhook, LetsTheTaskChooseItsContentTypeAndTrace) {
  constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  auto task = claimed();
  task.spec.traceparent = kTrace;
  EXPECT_EQ(header(webhook(task, kNow, "https://api.example").value(), "traceparent"), kTrace);

  task.spec.headers = {{"content-type", "application/vnd.x+json"}, {"Traceparent", "mine"}};
  const auto request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(header(request, "Content-Type"), "application/vnd.x+json");
  EXPECT_EQ(header(request, "traceparent"), "mine");

  task.spec.headers.clear();
  task.spec.traceparent = "00-zz";
  EXPECT_EQ(header(webhook(task, kNow, "https://api.example").value(), "traceparent"),
            std::nullopt);
}

TEST(Webhook, TakesAFreshConnectionForTheLastAttempt) {
  auto task = claimed();
  task.attempt = 4;
  EXPECT_TRUE(webhook(task, kNow, "https://api.example").value().fresh_connection);
}

TEST(Webhook, RefusesWhatTheRowShouldNotHold) {
  const struct {
    const char* what;
    void (*spoil)(TaskSpec&);
  } cases[] = {
      {"URL", [](TaskSpec& spec) { spec.url = "ftp://example.com/"; }},
      {"header value",
       [](TaskSpec& spec) {
         spec.headers = {{"X-A", "1\r\nHost: b"}};
       }},
      {"reserved header",
       [](TaskSpec& spec) {
         spec.headers = {{"Host", "b"}};
       }},
      {"method", [](TaskSpec& spec) { spec.method = "GET / HTTP/1.1\r\nX:"; }},
      {"content type",
       [](TaskSpec& spec) {
         spec.body_form = BodyForm::raw;
         spec.content_type = "text/plain\r\nX: y";
       }},
  };
  for (const auto& [what, spoil] : cases) {
    auto task = claimed();
    spoil(task.spec);
    const auto request = webhook(task, kNow, "https://api.example");
    ASSERT_FALSE(request) << what;
    EXPECT_EQ(request.error().code, Errc::invalid_argument) << what;
  }
}

TEST(Webhook, NamesTheEndpointThatIsNotThere) {
  auto task = claimed();
  task.spec.url.clear();
  task.spec.endpoint = "billing";
  const auto request = webhook(task, kNow, "https://api.example");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Errc::not_found);
  EXPECT_EQ(request.error().message, "no endpoint named billing");
}

TEST(WebhookOfAsyncQueue, HasItsSignatureOverTheRawBody) {
  auto task = claimed();
  task.spec.dialect = Dialect::asyncqueue;
  task.spec.body_form = BodyForm::raw;
  task.spec.body = "{}";
  task.secrets = {kSecret, kPrevious};
  const auto request = webhook(task, kNow, "https://api.example").value();
  EXPECT_EQ(request.body, "{}");
  EXPECT_EQ(header(request, "X-AsyncQueue-Task-Id"), to_uuid(task.spec.id));
  const auto mac = [](std::string_view secret) {
    return to_hex(hmac_sha256(secret, "1767225600.{}"));
  };
  EXPECT_EQ(header(request, "X-AsyncQueue-Signature"),
            "t=1767225600,v1=" + mac(kPrevious) + ",v1=" + mac(kSecret) + ",v1=" + mac(kPrevious));
  EXPECT_TRUE(header(request, "webhook-signature"));
}

TEST(WebhookOfTaskMq, NamesTheJobAndItsHandler) {
  auto task = claimed();
  task.spec.dialect = Dialect::taskmq;
  task.spec.job_id = 42;
  task.spec.endpoint = "mail.send";
  EXPECT_EQ(webhook(task, kNow, "").value().body,
            R"({"job_id":42,"handler":"mail.send","payload":{"n":1e2, "z":"\u0000"},"attempt":2})");
  task.spec.url.clear();
  EXPECT_EQ(webhook(task, kNow, "").error().message, "Unknown handler: mail.send");
}

TEST(WebhookOfAsyncJobs, IsTheTaskAndSaysHowLongItsHandlerHas) {
  auto task = claimed();
  task.spec.dialect = Dialect::asyncjobs;
  task.spec.endpoint = "email:new";
  task.spec.body = "hello";
  task.spec.body_form = BodyForm::raw;
  task.spec.max_attempts = 10;
  task.spec.timeout = 30s;
  task.created_at = kNow;
  task.claimed_at = kNow + 1s;
  const TaskId other = *parse_task_id("task_01hzy3v7k2e8s9q4r5t6w7x8z0");
  task.results = {{other, R"({"rows": 7})", kNow}, {task.spec.id, "plain", kNow}};
  const auto request = webhook(task, kNow, "").value();
  EXPECT_EQ(request.body,
            R"({"id":")" + to_ksuid(task.spec.id) +
                R"(","type":"email:new","queue":"mail","payload":"aGVsbG8=","state":"active",)"
                R"("created":"2026-01-01T00:00:00.999999Z","max_tries":10,"tries":2,)"
                R"("tried":"2026-01-01T00:00:01.999Z","dependency_results":{")" +
                to_ksuid(other) +
                R"(":{"payload":{"rows": 7},"completed":"2026-01-01T00:00:00.999999Z"},")" +
                to_ksuid(task.spec.id) +
                R"(":{"payload":"plain","completed":"2026-01-01T00:00:00.999999Z"}}})");
  EXPECT_EQ(header(request, "Content-Type"), "application/json");
  EXPECT_EQ(header(request, "AJ-Content-Type"), "application/x-asyncjobs-task+json");
  EXPECT_EQ(header(request, "AJ-Handler-Deadline"), "2026-01-01T00:00:28.999999Z");
  task.spec.url.clear();
  EXPECT_EQ(webhook(task, kNow, "").error().message, "no handler for task type email:new");
}

}  // namespace
}  // namespace postern::scheduler
