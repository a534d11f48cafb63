// TaskMQ's dialect at its own mount.
#include <thread>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class TaskMqTest : public WireTest {
 protected:
  Answer at(std::string method, std::string path, std::string body = {},
            std::string role = "admin") {
    HttpRequest asked = request(std::move(method), std::move(path), std::move(body));
    asked.dialect = "taskmq";
    asked.role = std::move(role);
    return ask(asked);
  }
  Answer add(const std::string& more = "") {
    return at("POST", "/add-job", R"({"payload":{"n":1},"handler":"mail")" + more + "}");
  }
  static std::string told(const Answer& answer) {
    return std::to_string(answer.status) + " " + answer.text("detail");
  }
};

TEST_F(TaskMqTest, AJobIsNumberedAndShown) {
  const Answer made = add();
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string id = made.text("job_id");
  EXPECT_EQ(made.body, R"({"status":"ok","job_id":)" + id + "}");
  const Answer job = at("GET", "/job/" + id);
  const std::pair<const char*, const char*> expected[] = {
      {"id", id.c_str()},          {"status", "PENDING"}, {"priority", "0"},
      {"payload", R"({"n":1})"},   {"handler", "mail"},   {"result", "null"},
      {"error_log", "null"},       {"retries", "0"},      {"retry_policy", "fixed"},
      {"interval_seconds", "null"}};
  for (const auto& [key, value] : expected) EXPECT_EQ(job.text(key), value) << key;
  EXPECT_TRUE(job.text("created_at").ends_with("+00:00"));
  EXPECT_EQ(count("SELECT max_attempts FROM postern.task"), 3);
  EXPECT_EQ(std::stoll(add().text("job_id")), std::stoll(id) + 1);
}

TEST_F(TaskMqTest, ValuesAreTakenAsPydanticTakesThem) {
  const std::pair<std::string, std::string> times[] = {
      {R"("2030-04-01T12:00:00Z")", "2030-04-01T12:00:00+00:00"},
      {R"("2030-04-01T12:00:00.123456+00:00")", "2030-04-01T12:00:00.123456+00:00"},
      {R"("2030-04-01T12:00:00")", "2030-04-01T12:00:00+00:00"},
      {R"("2030-04-01 12:00")", "2030-04-01T12:00:00+00:00"},
      {R"("2030-04-01T12:00:00+0200")", "2030-04-01T10:00:00+00:00"},
      {"1901275200", "2030-04-01T12:00:00+00:00"}};
  for (const auto& [given, shown] : times) {
    const Answer made = add(R"(,"scheduled_for":)" + given);
    ASSERT_EQ(made.status, 200) << made.body;
    EXPECT_EQ(at("GET", "/job/" + made.text("job_id")).text("scheduled_for"), shown) << given;
  }
  const std::pair<std::string, std::string> priorities[] = {
      {"20", "20"}, {"\"10\"", "10"}, {"7.9", "7"}, {"true", "1"}, {"-3", "-3"}};
  for (const auto& [given, shown] : priorities) {
    EXPECT_EQ(at("GET", "/job/" + add(R"(,"priority":)" + given).text("job_id")).text("priority"),
              shown);
  }
  EXPECT_EQ(add(R"(,"interval_seconds":"5","scheduled_for":null,"unknown":1)").status, 200);
  const Answer numbered = at("POST", "/cancel", R"({"job_id":")" + add().text("job_id") + R"("})");
  EXPECT_EQ(numbered.status, 200);
}

TEST_F(TaskMqTest, EachMistakeHasItsPlaceAndType) {
  const auto mistakes = [&](const std::string& body) {
    const Answer answer = at("POST", "/add-job", body);
    EXPECT_EQ(answer.status, 422) << body;
    std::string out;
    const auto detail = answer.json().at("detail").as_array();
    for (const auto& each : detail) {
      out += boost::json::serialize(each.at("loc")) + " " +
             std::string(each.at("type").as_string()) + ";";
      EXPECT_FALSE(each.at("msg").as_string().empty());
    }
    return out;
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", R"(["body"] value_error.missing;)"},
      {"[1]", R"(["body"] type_error.dict;)"},
      {"{\"payload\":}", R"(["body",11] value_error.jsondecode;)"},
      {"{}", R"(["body","payload"] value_error.missing;["body","handler"] value_error.missing;)"},
      {R"({"payload":1,"handler":{}})",
       R"(["body","payload"] type_error.dict;["body","handler"] type_error.str;)"},
      {R"({"payload":null,"handler":"x"})", R"(["body","payload"] type_error.none.not_allowed;)"},
      {R"({"payload":{},"handler":""})", R"(["body","handler"] value_error.str.regex;)"},
      {R"({"payload":{},"handler":"x","priority":"high"})",
       R"(["body","priority"] type_error.integer;)"},
      {R"({"payload":{},"handler":"x","priority":null})",
       R"(["body","priority"] type_error.none.not_allowed;)"},
      {R"({"payload":{},"handler":"x","retry_policy":"often"})",
       R"(["body","retry_policy"] value_error.const;)"},
      {R"({"payload":{},"handler":"x","scheduled_for":"soon"})",
       R"(["body","scheduled_for"] value_error.datetime;)"},
      {R"({"payload":{},"handler":"x","scheduled_for":"2099-01-01T00:00:00Z"})",
       R"(["body","scheduled_for"] value_error;)"},
      {R"({"payload":{},"handler":"x","interval_seconds":0})",
       R"(["body","interval_seconds"] value_error.number.not_in_range;)"},
  };
  for (const auto& [body, expected] : cases) EXPECT_EQ(mistakes(body), expected) << body;
  EXPECT_EQ(at("POST", "/cancel", "{}").text("detail/0/loc"), R"(["body","job_id"])");
  EXPECT_EQ(at("POST", "/retry", R"({"job_id":"x"})").text("detail/0/type"), "type_error.integer");
}

TEST_F(TaskMqTest, CancelAndRetryGoByTheJobsState) {
  const std::string id = add().text("job_id");
  const std::string body = "{\"job_id\":" + id + "}";
  EXPECT_EQ(told(at("POST", "/retry", body)), "409 Job is not failed");
  EXPECT_EQ(at("POST", "/cancel", body).body, R"({"status":"cancelled","job_id":)" + id + "}");
  EXPECT_EQ(at("GET", "/job/" + id).text("status"), "FAILED");
  EXPECT_EQ(at("GET", "/job/" + id).text("error_log"), "Cancelled by admin");
  EXPECT_EQ(told(at("POST", "/cancel", body)), "409 Job is not pending");
  EXPECT_EQ(at("POST", "/retry", body, "worker").body,
            R"({"status":"retrying","job_id":)" + id + "}");
  EXPECT_EQ(at("GET", "/job/" + id).text("status"), "PENDING");
}

TEST_F(TaskMqTest, SpeaksAsFastApiDoes) {
  EXPECT_EQ(told(at("GET", "/nothing")), "404 Not Found");
  const Answer wrong = at("GET", "/add-job");
  EXPECT_EQ(told(wrong), "405 Method Not Allowed");
  EXPECT_EQ(wrong.headers.at("Allow"), "POST");
  EXPECT_EQ(told(at("GET", "/job/99999")), "404 Job not found");
  EXPECT_EQ(told(at("GET", "/job/x")), "404 Job not found");
  EXPECT_EQ(told(at("POST", "/cancel", R"({"job_id":99999})")), "404 Job not found");
  for (const auto& [path, body] :
       {std::pair{"/add-job", R"({"payload":{},"handler":"x"})"}, {"/cancel", R"({"job_id":1})"}}) {
    EXPECT_EQ(told(at("POST", path, body, "worker")), "403 Insufficient permissions");
  }
  HttpRequest nobody = request("POST", "/add-job", "{}");
  nobody.dialect = "taskmq";
  nobody.verdict = Verdict::missing;
  const Answer refused = ask(nobody);
  EXPECT_EQ(told(refused), "401 Invalid or missing token");
  EXPECT_EQ(refused.headers.at("WWW-Authenticate"), "Bearer");
}

TEST_F(TaskMqTest, IsHealthyWithADatabaseAndSaysWhetherAnybodyWorks) {
  // The handlers connect by themselves, a moment after their start.
  while (at("GET", "/health").status == 503) std::this_thread::yield();
  EXPECT_EQ(at("GET", "/health").body, R"({"status":"ok","worker":"unknown"})");
  admin_.script(
      "INSERT INTO postern.instance (id, program, name, version) "
      "VALUES (gen_random_uuid(), 'postern-scheduler', 's', '1')");
  EXPECT_EQ(at("GET", "/health").body, R"({"status":"ok","worker":"alive"})");
  admin_.script("UPDATE postern.instance SET beat_at = now() - interval '2 minutes'");
  EXPECT_EQ(at("GET", "/health").body, R"({"status":"ok","worker":"unknown"})");
}

TEST_F(TaskMqTest, AKeyMakesAJobOnce) {
  HttpRequest asked = request("POST", "/add-job", R"({"payload":{},"handler":"x"})");
  asked.dialect = "taskmq";
  asked.idempotency_key = "k";
  const Answer first = ask(asked), again = ask(asked);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.headers.at("Idempotency-Replayed"), "true");
  asked.body = R"({"payload":{"n":2},"handler":"x"})";
  EXPECT_EQ(ask(asked).status, 422);
  asked.idempotency_key = std::string(200, 'k');
  EXPECT_EQ(ask(asked).text("detail/0/loc"), R"(["header","Idempotency-Key"])");
}

}  // namespace
}  // namespace postern::test
