#include <gtest/gtest.h>

#include "fcgi/dialects/native/wire.h"

namespace postern::native_wire {
namespace {

std::string render(const Task& task) {
  JsonWriter out;
  write_task(out, task);
  return out.take();
}

Task task() {
  Task out;
  out.spec.id = parse_task_id("task_01h455vb4pex5vsknk084sn02q").value();
  out.spec.queue = "emails";
  out.spec.url = "https://a.test/hook";
  out.spec.priority = 80;
  out.created_at = out.updated_at = *parse_rfc3339("2025-01-15T10:30:00.999999Z");
  out.run_at = out.created_at + Seconds{300};
  out.state = State::delayed;
  return out;
}

TEST(WriteTask, ShowsANewOne) {
  EXPECT_EQ(
      render(task()),
      R"({"id":"task_01h455vb4pex5vsknk084sn02q","queue":"emails","status":"pending","priority":8,)"
      R"("delay":300,"next_attempt_at":"2025-01-15T10:35:00Z","webhook_url":"https://a.test/hook",)"
      R"("method":"POST","max_retries":3,"retry_policy":"exponential","timeout":30,"attempts":[],)"
      R"("attempt_count":0,"created_at":"2025-01-15T10:30:00Z","updated_at":"2025-01-15T10:30:00Z"})");
}

TEST(WriteTask, ShowsAttemptsAsDocumented) {
  Task done = task();
  done.state = State::completed;
  done.attempt = 2;
  done.finished_at = *parse_rfc3339("2025-01-15T10:35:02.500Z");
  done.attempts =
      R"([{"error": "HTTP 500", "number": 1, "status": "failed", "duration_ms": 12, "executed_at": "2025-01-15T10:35:00.123Z", "response_code": 500}, )"
      R"({"number": 2, "status": "success", "response": "a\nb", "executed_at": "2025-01-15T10:35:02.001Z", "response_code": null}])";
  const std::string json = render(done);
  EXPECT_NE(
      json.find(R"("attempts":[{"number":1,"status":"failed","response_code":500,)"
                R"("executed_at":"2025-01-15T10:35:00Z","duration_ms":12,"error":"HTTP 500"},)"
                R"({"number":2,"status":"success","response_code":null,)"
                R"("executed_at":"2025-01-15T10:35:02Z","response":"a\nb"}],"attempt_count":2)"),
      std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("completed_at":"2025-01-15T10:35:02Z")"), std::string::npos) << json;
  EXPECT_EQ(json.find("next_attempt_at"), std::string::npos) << json;
  EXPECT_EQ(json.find("\"delay\""), std::string::npos) << json;
}

TEST(WriteTask, ShowsStatusesAndReasons) {
  const std::pair<State, std::string_view> cases[] = {
      {State::ready, "pending"},      {State::delayed, "pending"},     {State::active, "active"},
      {State::blocked, "blocked"},    {State::completed, "completed"}, {State::failed, "failed"},
      {State::cancelled, "cancelled"}};
  for (const auto& [state, status] : cases) {
    Task each = task();
    each.state = state;
    if (state == State::failed) each.reason = Reason::exhausted;
    const std::string json = render(each);
    EXPECT_NE(json.find("\"status\":\"" + std::string(status) + "\""), std::string::npos) << json;
    EXPECT_EQ(json.find(R"("reason":"exhausted")") != std::string::npos, state == State::failed)
        << json;
  }
}

TEST(WriteTask, ShowsBodiesInTheFormTheyCanHave) {
  Task each = task();
  each.spec.body = R"({ "a" : 1e2 })";
  EXPECT_NE(render(each).find(R"("payload":{ "a" : 1e2 },)"), std::string::npos);
  each.spec.body_form = BodyForm::raw;
  each.spec.body = "text\n";
  EXPECT_NE(render(each).find(R"("body":"text\n")"), std::string::npos);
  each.spec.body = std::string("\0\xFF", 2);
  EXPECT_NE(render(each).find(R"("payload_base64":"AP8=")"), std::string::npos);
  each.spec.body.reset();
  each.body_omitted = true;
  EXPECT_NE(render(each).find(R"("payload_omitted":true)"), std::string::npos);
}

TEST(RenderPage, HasTheUnionEnvelope) {
  db::Page page;
  page.tasks = {task(), task()};
  page.total = 12'345;
  page.total_estimated = true;
  page.next = page.tasks.back().spec.id;
  db::TaskFilter filter;
  filter.limit = 2;
  const std::string json = render_page(page, filter, std::nullopt);
  EXPECT_TRUE(json.starts_with(R"({"tasks":[{"id":)")) << json;
  EXPECT_TRUE(json.ends_with(
      R"(],"count":2,"pagination":{"total":12345,"limit":2,"offset":0,"hasMore":true,)"
      R"("total_estimated":true,"next_cursor":"task_01h455vb4pex5vsknk084sn02q"}})"))
      << json;
  EXPECT_EQ(
      render_page({}, {}, std::nullopt),
      R"({"tasks":[],"count":0,"pagination":{"total":0,"limit":20,"offset":0,"hasMore":false}})");
}

}  // namespace
}  // namespace postern::native_wire
