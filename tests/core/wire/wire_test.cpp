#include <gtest/gtest.h>

#include "core/base/json.h"
#include "core/wire/attempts.h"
#include "core/wire/callback.h"
#include "core/wire/native.h"
#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::string_literals;

TaskSpec a_task() {
  TaskSpec task;
  task.id = parse_task_id("task_01h455vb4pex5vsknk084sn02q").value();
  task.queue = "email";
  return task;
}

TEST(NativeWebhookBody, InsertsThePayloadUnchanged) {
  TaskSpec task = a_task();
  for (const std::string& payload : {R"({"b":1, "a":[2.50],"b":3})"s, R"("\u0000")"s, "null"s,
                                     "123456789012345678901234567890"s, "{}"s}) {
    task.body = payload;
    EXPECT_EQ(native_webhook_body(task, 2),
              R"({"task_id":"task_01h455vb4pex5vsknk084sn02q","queue":"email","payload":)" +
                  payload + R"(,"attempt":2})");
  }
}

TEST(NativeWebhookBody, SaysNullForNoPayload) {
  EXPECT_EQ(native_webhook_body(a_task(), 1),
            R"({"task_id":"task_01h455vb4pex5vsknk084sn02q","queue":"email","payload":null,)"
            R"("attempt":1})");
}

TEST(NativeWebhookBody, SendsARawBodyAsItStands) {
  TaskSpec task = a_task();
  task.body_form = BodyForm::raw;
  EXPECT_EQ(native_webhook_body(task, 1), "");
  task.body = "\0\xff not JSON"s;
  EXPECT_EQ(native_webhook_body(task, 1), "\0\xff not JSON"s);
}

TEST(AttemptJson, ShowsASuccess) {
  Attempt attempt;
  attempt.number = 1;
  attempt.status = "success";
  attempt.response_code = 200;
  attempt.executed_at = Time{Seconds{1'736'937'302}} + Milliseconds{250};
  attempt.duration = Milliseconds{120};
  EXPECT_EQ(attempt_json(attempt),
            R"({"number":1,"status":"success","response_code":200,)"
            R"("executed_at":"2025-01-15T10:35:02.250Z","duration_ms":120})");
}

TEST(AttemptJson, ShowsAFailureWithoutAnAnswer) {
  Attempt attempt;
  attempt.number = 3;
  attempt.status = "failed";
  attempt.error = "connection refused";
  attempt.executed_at = Time{Seconds{1'736'937'302}};
  EXPECT_EQ(attempt_json(attempt),
            R"({"number":3,"status":"failed","response_code":null,"error":"connection refused",)"
            R"("executed_at":"2025-01-15T10:35:02.000Z","duration_ms":0})");
}

// jsonb refuses \u0000 and invalid UTF-8; a receiver must not be able to make its task's row
// unwritable.
TEST(AttemptJson, AcceptsAnyBytesFromTheReceiver) {
  Attempt attempt;
  attempt.status = "failed";
  attempt.error = "bad \0 \xff"s;
  for (int i = 0; i < 256; ++i) attempt.response += static_cast<char>(i);
  const std::string json = attempt_json(attempt);
  EXPECT_EQ(json.find("\\u0000"), json.npos);
  const auto members = parse_json_object(json);
  ASSERT_EQ(outcome(members), "ok") << json;
  for (const auto& [key, raw] : *members) {
    if (key == "error") {
      EXPECT_EQ(*json_string(raw, key), "bad \xEF\xBF\xBD \xEF\xBF\xBD");
    }
    if (key == "response") {
      EXPECT_EQ(json_string(raw, key)->substr(0, 5), "\xEF\xBF\xBD\x01\x02");
    }
  }
}

TEST(AsyncQueueCallback, TellsEachEndInItsOwnForm) {
  Task task;
  task.spec.id = *parse_task_id("01890a5d-ac96-774b-bcce-b302099a8057");
  task.spec.dialect = Dialect::asyncqueue;
  task.spec.queue = "asyncqueue";
  task.spec.on_complete_url = task.spec.on_failure_url = "https://a.example/done";
  task.attempt = 2;
  task.created_at = Time{Seconds{1'736'937'302}};
  task.finished_at = task.created_at + Milliseconds{1500};
  const struct {
    State state;
    Reason reason;
    const char *event, *status;
  } cases[] = {{State::completed, Reason::none, "task.completed", "completed"},
               {State::failed, Reason::exhausted, "task.failed", "failed"},
               {State::failed, Reason::signal_timeout, "task.timeout", "timeout"}};
  for (const auto& [state, reason, event, status] : cases) {
    task.state = state;
    task.reason = reason;
    task.last_error = reason == Reason::exhausted ? "HTTP 503" : "";
    const NewTask callback = callback_of(task, task.spec.id);
    EXPECT_EQ(callback.spec.body,
              std::string(R"({"event":")") + event +
                  R"(","task":{"id":"01890a5d-ac96-774b-bcce-b302099a8057","status":")" + status +
                  R"(","result":null,"error":)" +
                  (task.last_error.empty() ? "null"
                                           : R"("Server error: HTTP 503 - Service Unavailable")") +
                  R"(,"retryCount":1,"createdAt":"2025-01-15T10:35:02.000Z",)"
                  R"("completedAt":"2025-01-15T10:35:03.500Z"}})");
    // Told once, for ten seconds at most.
    EXPECT_EQ(callback.spec.max_attempts, 1);
    EXPECT_EQ(callback.spec.timeout, Seconds{10});
    EXPECT_EQ(callback.spec.dialect, Dialect::asyncqueue);
  }
  task.state = State::cancelled;
  EXPECT_FALSE(has_callback(task));
}

}  // namespace
}  // namespace postern
