// Changes to a task that waits: PATCH and run.
#include "core/model/ids.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class ChangesTest : public WireTest {
 protected:
  std::string path(const std::string& fields = R"("payload":{"a":1})") {
    return "/v1/tasks/" + create(fields).text("id");
  }
  void set_state(const std::string& at, const std::string& columns) {
    admin_.script("UPDATE postern.task SET " + columns + " WHERE id = '" +
                  to_uuid(*parse_task_id(at.substr(at.rfind('/') + 1))) + "'");
  }
};

TEST_F(ChangesTest, ChangesWhatIsGivenAndNothingElse) {
  const std::string task = path(R"("payload":{"a":1},"priority":3)");
  Answer answer = ask("PATCH", task, R"({"priority":9})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("priority"), "9");
  EXPECT_EQ(answer.text("delay"), "3600");
  EXPECT_EQ(answer.text("payload/a"), "1");
  answer = ask("PATCH", task, R"({"run_at":"2030-01-01T00:00:00Z","delay":5})");
  EXPECT_EQ(answer.text("next_attempt_at"), "2030-01-01T00:00:00Z");
  EXPECT_EQ(answer.text("priority"), "9");
  answer = ask("PATCH", task, R"({"payload":{ "b" : 2}})");
  EXPECT_NE(answer.body.find(R"("payload":{ "b" : 2})"), std::string::npos);
  EXPECT_EQ(ask("GET", task).body, answer.body);

  // Another form of body takes its content type along.
  answer = ask("PATCH", task, R"({"body":"x","content_type":"text/plain"})");
  EXPECT_EQ(answer.text("body"), "x");
  EXPECT_EQ(answer.text("content_type"), "text/plain");
  EXPECT_EQ(answer.text("payload"), "null");
  answer = ask("PATCH", task, R"({"payload_base64":"AP8="})");
  EXPECT_EQ(answer.text("payload_base64"), "AP8=");
  EXPECT_EQ(answer.text("content_type"), "text/plain");
  answer = ask("PATCH", task, R"({"payload":{}})");
  EXPECT_EQ(answer.text("content_type"), "null");

  // Delayed and due, as it is asked for.
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'delayed'"), 1);
  EXPECT_EQ(ask("PATCH", task, R"({"delay":0})").status, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'ready' AND run_at <= now()"),
            1);
  EXPECT_EQ(ask("PATCH", task, R"({"delay":60})").status, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'delayed'"), 1);
  EXPECT_EQ(ask("PATCH", task, R"({"run_at":"2001-01-01T00:00:00Z"})").status, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'ready'"), 1);
}

TEST_F(ChangesTest, RefusesWhatCannotBe) {
  const std::string task =
      path(R"("deadline":"2098-01-01T00:00:00Z","run_at":"2029-01-01T00:00:00Z")");
  struct Case {
    std::string_view body, reason, field;
  };
  const Case cases[] = {
      {"", "invalid_json", "null"},
      {"[]", "object_required", "null"},
      {"{}", "change_required", "null"},
      {R"({"priority":null})", "change_required", "null"},
      {R"({"priority":0})", "priority_out_of_range", "priority"},
      {R"({"priority":"5"})", "invalid_type", "priority"},
      {R"({"delay":-1})", "delay_out_of_range", "delay"},
      {R"({"delay":1.5})", "invalid_type", "delay"},
      {R"({"delay":9223372036854775807})", "delay_out_of_range", "delay"},
      {R"({"run_at":"soon"})", "time_invalid", "run_at"},
      {R"({"run_at":"2999-01-01T00:00:00Z"})", "run_at_out_of_range", "run_at"},
      {R"({"payload":[]})", "payload_invalid", "payload"},
      {R"({"payload":{},"body":""})", "payload_both_set", "payload"},
      {R"({"payload_base64":"?"})", "payload_base64_invalid", "payload_base64"},
      {R"({"content_type":"text/plain"})", "content_type_invalid", "content_type"},
      {R"({"queue":"other"})", "unknown_field", "queue"},
      {R"({"priority":1,"priority":2})", "duplicate_field", "priority"},
  };
  const std::string before = ask("GET", task).body;
  for (const auto& [body, reason, field] : cases) {
    const Answer answer = ask("PATCH", task, std::string(body));
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.reason(), reason) << body;
    EXPECT_EQ(answer.field(), field) << body;
  }
  EXPECT_EQ(ask("GET", task).body, before);

  set_state(task, "deadline = now() + interval '1 minute'");
  EXPECT_EQ(ask("PATCH", task, R"({"delay":120})").reason(), "deadline_before_start");
  EXPECT_EQ(ask("PATCH", task, R"({"delay":120})").field(), "delay");
  EXPECT_EQ(ask("PATCH", task, R"({"priority":1})").status, 200);
  HttpRequest worker = request("PATCH", task, R"({"priority":1})");
  worker.role = "worker";
  EXPECT_EQ(ask(worker).status, 403);
}

TEST_F(ChangesTest, OnlyWhatWaits) {
  const std::string task = path();
  const auto refusals = [&](const std::string& at) {
    return std::pair{ask("PATCH", at, R"({"priority":1})").reason(),
                     ask("POST", at + "/run").reason()};
  };
  EXPECT_EQ(refusals("/v1/tasks/nonsense"),
            (std::pair{std::string("task_not_found"), std::string("task_not_found")}));
  EXPECT_EQ(refusals("/v1/tasks/task_01h455vb4pex5vsknk084sn02q").first, "task_not_found");
  admin_.script(
      "INSERT INTO postern.lease (task, lease, until, tenant, queue) "
      "SELECT id, gen_random_uuid(), now(), tenant, queue FROM postern.task");
  EXPECT_EQ(refusals(task),
            (std::pair{std::string("task_already_active"), std::string("task_already_active")}));
  admin_.script("DELETE FROM postern.lease");
  ask("POST", task + "/cancel");
  EXPECT_EQ(refusals(task), (std::pair{std::string("task_already_finished"),
                                       std::string("task_already_finished")}));
  EXPECT_EQ(ask("POST", task + "/run").status, 409);

  // What waits for others may be changed, but not be run.
  const std::string blocked = path(R"("key":"k")");
  EXPECT_EQ(ask("POST", blocked + "/run").reason(), "task_blocked");
  EXPECT_EQ(ask("POST", blocked + "/run").status, 409);
  const Answer changed = ask("PATCH", blocked, R"({"delay":0,"priority":8})");
  EXPECT_EQ(changed.text("status"), "blocked");
  EXPECT_EQ(changed.text("priority"), "8");
}

TEST_F(ChangesTest, RunsAtOnceAndKeepsThePlaceOfWhatIsDue) {
  const std::string task = path();
  const Answer answer = ask("POST", task + "/run");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("status"), "pending");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'ready' AND run_at <= now()"),
            1);
  const auto due = "SELECT (extract(epoch FROM run_at) * 1000000)::bigint FROM postern.task";
  const auto before = count(due);
  EXPECT_EQ(ask("POST", task + "/run").status, 200);
  EXPECT_EQ(count(due), before);
}

TEST_F(ChangesTest, ANumberOfTaskmqIsAnIdHereToo) {
  HttpRequest post = request("POST", "/add-job", R"({"payload":{},"handler":"x","priority":1})");
  post.dialect = "taskmq";
  const std::string task = "/v1/tasks/" + ask(post).text("job_id");
  EXPECT_EQ(ask("PATCH", task, R"({"priority":9})").status, 200);
  EXPECT_EQ(ask("POST", task + "/run").status, 200);
  EXPECT_EQ(ask("POST", "/v1/tasks/999999999/run").status, 404);
}

}  // namespace
}  // namespace postern::test
