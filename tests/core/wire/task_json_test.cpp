#include "core/wire/task_json.h"

#include <gtest/gtest.h>

#include "tests/core/wire/names.h"

namespace postern {
namespace {

Time at(const char* text) { return parse_rfc3339(text).value(); }

std::string json_of(const Task& task) {
  JsonWriter out;
  wire::write_task(out, task);
  return out.take();
}

Task empty() {
  Task out;
  out.spec.id = parse_task_id("task_01h455vb4pex5vsknk084sn02q").value();
  return out;
}

TEST(TaskJson, NamesEachFieldOnce) { expect_a_proper_table(wire::task_fields()); }

TEST(TaskJson, LeavesOutWhatIsNotSet) {
  EXPECT_EQ(json_of(empty()),
            R"({"id":"task_01h455vb4pex5vsknk084sn02q","queue":"","status":"pending",)"
            R"("priority":5,"delay":0,"next_attempt_at":"1970-01-01T00:00:00Z","method":"POST",)"
            R"("max_retries":3,"retry_policy":"exponential","timeout":30,"attempts":[],)"
            R"("attempt_count":0,"created_at":"1970-01-01T00:00:00Z",)"
            R"("updated_at":"1970-01-01T00:00:00Z"})");
}

TEST(TaskJson, WritesEveryField) {
  Task task = empty();
  TaskSpec& spec = task.spec;
  spec.queue = "jobs";
  spec.endpoint = "mail";
  spec.url = "https://a.test/";
  spec.method = "PUT";
  spec.headers = {{"X-A", "1"}};
  spec.body = R"({"n":1})";
  spec.content_type = "text/plain";
  spec.priority = 80;
  spec.max_attempts = 6;
  spec.retry_policy = R"({"intervals":[1]})";
  spec.timeout = Milliseconds{2500};
  spec.deadline = at("2026-01-05T00:00:00Z");
  spec.key = "k";
  spec.tags = {"a", "b"};
  spec.dependencies = {spec.id};
  spec.on_complete_url = "https://c.test/";
  spec.on_failure_url = "https://f.test/";
  task.state = State::failed;
  task.reason = Reason::exhausted;
  task.deferred = true;
  task.body_omitted = true;
  task.attempt = 6;
  task.resolved = "mail:bulk";
  task.attempts =
      R"([{"number":6,"executed_at":"2026-01-02T00:00:00.123Z","error":"HTTP 500","x":1}])";
  task.last_error = "HTTP 500";
  task.result = Answer{500, {{"x-b", "2"}}, "no", Milliseconds{12}};
  task.created_at = at("2026-01-01T00:00:00Z");
  task.updated_at = at("2026-01-03T00:00:00Z");
  task.finished_at = at("2026-01-02T00:00:01Z");
  EXPECT_EQ(json_of(task),
            R"({"id":"task_01h455vb4pex5vsknk084sn02q","queue":"jobs","status":"failed",)"
            R"("deferred":true,"reason":"exhausted","priority":8,"webhook_url":"https://a.test/",)"
            R"("endpoint":"mail","resolved_endpoint":"mail:bulk","method":"PUT",)"
            R"("headers":{"X-A":"1"},"payload_omitted":true,"payload":{"n":1},)"
            R"("content_type":"text/plain","max_retries":5,"retry_policy":{"intervals":[1]},)"
            R"("timeout":2.5,"deadline":"2026-01-05T00:00:00Z",)"
            R"("on_complete_url":"https://c.test/","on_failure_url":"https://f.test/","key":"k",)"
            R"("tags":["a","b"],"dependencies":["task_01h455vb4pex5vsknk084sn02q"],)"
            R"("attempts":[{"number":6,"executed_at":"2026-01-02T00:00:00Z","error":"HTTP 500"}],)"
            R"("attempt_count":6,"last_error":"HTTP 500",)"
            R"("result":{"response_code":500,"headers":{"x-b":"2"},"body":"no","duration_ms":12},)"
            R"("created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-03T00:00:00Z",)"
            R"("completed_at":"2026-01-02T00:00:01Z"})");
}

TEST(TaskJson, ShowsABodyInTheFieldOfItsForm) {
  Task task = empty();
  task.spec.body_form = BodyForm::raw;
  task.spec.body = "text";
  EXPECT_NE(json_of(task).find(R"("body":"text")"), std::string::npos);
  task.spec.body = std::string("\0\xFF", 2);
  EXPECT_NE(json_of(task).find(R"("payload_base64":"AP8=")"), std::string::npos);
}

}  // namespace
}  // namespace postern
