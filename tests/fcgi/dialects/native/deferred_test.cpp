// What a receiver tells that has taken a task over (202 with Postern-Defer).
#include "core/model/ids.h"
#include "core/security/signing.h"
#include "db/engine/settle.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class DeferredTest : public WireTest {
 protected:
  struct Taken {
    std::string path;  // of the task, as the receiver has it
    std::string token;
  };
  // A task whose receiver has it now, and said 202 unless `deferred` is false.
  Taken take(const std::string& fields = "", bool deferred = true) {
    const Answer made =
        ask("POST", "/v1/tasks",
            R"({"queue":"q","webhook_url":"http://receiver.test/","retry_policy":"fixed")" +
                (fields.empty() ? "" : "," + fields) + "}");
    EXPECT_EQ(made.status, 201) << made.body;
    return claimed(deferred);
  }
  Taken claimed(bool deferred = true) {
    const auto tasks = claim(admin_, 1);
    EXPECT_EQ(tasks.size(), 1u);
    if (tasks.empty()) return {};
    if (deferred) {
      const db::Settlement later{.id = tasks[0].spec.id,
                                 .lease = tasks[0].lease,
                                 .state = State::active,
                                 .delay = Seconds{60}};
      admin_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&later, 1)));
    }
    return {"/v1/tasks/" + to_typeid(tasks[0].spec.id),
            completion_token(tasks[0].lease, tasks[0].spec.id)};
  }
  // Without any key, as a receiver asks.
  Answer tell(const Taken& taken, const std::string& what, std::string body = {}) {
    return ask(nobody(taken.path + "/" + what + "?token=" + taken.token, std::move(body)));
  }
  static HttpRequest nobody(std::string path, std::string body) {
    HttpRequest post = request("POST", std::move(path), std::move(body));
    post.verdict = Verdict::missing;
    post.role = post.key_tenant = post.identity = "";
    return post;
  }
};

TEST_F(DeferredTest, CompletesWithAResult) {
  const Taken taken = take();
  EXPECT_EQ(ask("GET", taken.path).text("deferred"), "true");
  HttpRequest post = nobody(taken.path + "/complete?token=" + taken.token, R"({"rows": 7})");
  post.content_type = "application/json";
  const Answer answer = ask(post);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, R"({"status":"completed"})");
  const Answer task = ask("GET", taken.path);
  EXPECT_EQ(task.text("status"), "completed");
  EXPECT_EQ(task.text("result/body"), R"({"rows": 7})");
  EXPECT_EQ(task.text("result/headers/content-type"), "application/json");
  EXPECT_EQ(task.text("result/response_code"), "202");
  EXPECT_EQ(task.text("attempts/0/status"), "success");
  EXPECT_EQ(task.text("deferred"), "null");
  EXPECT_EQ(task.text("last_error"), "null");
  EXPECT_EQ(counter(admin_, "finished_completed"), 1);
  EXPECT_EQ(counter(admin_, "attempts_success"), 1);

  // Told twice: it is known that it was over.
  for (const char* what : {"complete", "fail"}) {
    const Answer again = tell(taken, what);
    EXPECT_EQ(again.status, 409);
    EXPECT_EQ(again.reason(), "task_already_finished");
  }
  EXPECT_EQ(tell(taken, "heartbeat", R"({"seconds":1})").status, 409);
  EXPECT_EQ(counter(admin_, "finished_completed"), 1);

  // A fresh life has another token.
  EXPECT_EQ(ask("POST", taken.path + "/retry").status, 200);
  EXPECT_EQ(tell(taken, "complete").reason(), "token_invalid");
  EXPECT_EQ(tell(claimed(), "complete").status, 200);
}

TEST_F(DeferredTest, KeepsTheFirst16KiBOfAnyBytes) {
  const Taken taken = take();
  EXPECT_EQ(tell(taken, "complete", std::string("\0\xff", 2) + std::string(20'000, 'x')).status,
            200);
  EXPECT_EQ(count("SELECT octet_length(result_body) FROM postern.task_finished"), 16 * 1024);
  EXPECT_EQ(ask("GET", taken.path).status, 200);
}

TEST_F(DeferredTest, MayBeToldBeforeThe202IsWrittenDown) {
  EXPECT_EQ(tell(take("", false), "complete").status, 200);
  EXPECT_EQ(counter(admin_, "finished_completed"), 1);
}

TEST_F(DeferredTest, FailsIntoTheRetryPolicy) {
  const Taken first = take(R"("max_retries":1)");
  EXPECT_EQ(tell(first, "fail", R"({"error":"no \u0000 luck"})").body, R"({"status":"pending"})");
  Answer task = ask("GET", first.path);
  EXPECT_EQ(task.text("status"), "pending");
  EXPECT_EQ(task.text("last_error"), "no  luck");
  EXPECT_EQ(task.text("attempts/0/error"), "no  luck");
  EXPECT_EQ(task.text("attempts/0/response_code"), "202");
  EXPECT_EQ(tell(first, "fail").reason(), "token_invalid");

  EXPECT_EQ(ask("POST", first.path + "/run").status, 200);
  EXPECT_EQ(tell(claimed(), "fail").body, R"({"status":"failed"})");
  task = ask("GET", first.path);
  EXPECT_EQ(task.text("reason"), "exhausted");
  EXPECT_EQ(task.text("attempt_count"), "2");
  EXPECT_EQ(counter(admin_, "finished_failed"), 1);
  EXPECT_EQ(counter(admin_, "attempts_failed"), 2);

  const Taken last = take();
  EXPECT_EQ(
      tell(last, "fail", R"({"retry":false,"error":")" + std::string(3000, 'e') + "\"}").status,
      200);
  EXPECT_EQ(ask("GET", last.path).text("reason"), "terminated");
  EXPECT_EQ(ask("GET", last.path).text("last_error").size(), 1024u);
}

TEST_F(DeferredTest, ExtendsItsTime) {
  const Taken taken = take();
  EXPECT_EQ(tell(taken, "heartbeat", R"({"seconds":604800})").body, R"({"status":"active"})");
  EXPECT_EQ(count("SELECT count(*) FROM postern.lease WHERE until > now() + interval '6 days'"), 1);
  EXPECT_EQ(tell(taken, "heartbeat", R"({"seconds":1})").status, 200);
  EXPECT_EQ(count("SELECT count(*) FROM postern.lease WHERE until > now() + interval '6 days'"), 0);
  EXPECT_EQ(tell(taken, "complete").status, 200);
}

TEST_F(DeferredTest, RefusesWhatCannotBe) {
  const Taken taken = take();
  struct Case {
    const char* what;
    std::string_view body, reason, field;
  };
  const Case cases[] = {
      {"heartbeat", "", "invalid_json", "null"},
      {"heartbeat", "{}", "seconds_required", "seconds"},
      {"heartbeat", R"({"seconds":0})", "seconds_out_of_range", "seconds"},
      {"heartbeat", R"({"seconds":-5})", "seconds_out_of_range", "seconds"},
      {"heartbeat", R"({"seconds":604801})", "seconds_out_of_range", "seconds"},
      {"heartbeat", R"({"seconds":9223372036854775807})", "seconds_out_of_range", "seconds"},
      {"heartbeat", R"({"seconds":"1"})", "invalid_type", "seconds"},
      {"heartbeat", R"({"seconds":1.5})", "invalid_type", "seconds"},
      {"heartbeat", R"({"seconds":1,"x":2})", "unknown_field", "x"},
      {"fail", "no", "invalid_json", "null"},
      {"fail", "[]", "object_required", "null"},
      {"fail", R"({"error":1})", "invalid_type", "error"},
      {"fail", R"({"retry":"no"})", "invalid_type", "retry"},
      {"fail", R"({"reason":"x"})", "unknown_field", "reason"},
      {"fail", R"({"retry":true,"retry":false})", "duplicate_field", "retry"},
  };
  for (const auto& [what, body, reason, field] : cases) {
    const Answer answer = tell(taken, what, std::string(body));
    EXPECT_EQ(answer.status, 400) << what << body;
    EXPECT_EQ(answer.reason(), reason) << what << body;
    EXPECT_EQ(answer.field(), field) << what << body;
  }
  EXPECT_EQ(ask("GET", taken.path).text("status"), "active");
}

// The answers are the same for a task that is not there, so that nobody learns which are.
TEST_F(DeferredTest, OnlyWithTheTokenOfThisAttempt) {
  const Taken taken = take();
  std::string other = taken.token;
  other[0] = other[0] == '0' ? '1' : '0';
  const Taken nowhere{"/v1/tasks/task_01h455vb4pex5vsknk084sn02q", taken.token};
  const Taken nonsense{"/v1/tasks/nonsense", taken.token};
  const std::string expected = tell(nowhere, "complete").body;
  for (const char* what : {"complete", "fail", "heartbeat"}) {
    const std::string body = std::string_view(what) == "heartbeat" ? R"({"seconds":1})" : "";
    for (const Taken& wrong : {nowhere, nonsense, Taken{taken.path, other}, Taken{taken.path, ""},
                               Taken{taken.path, taken.token + "0"}}) {
      const Answer answer = tell(wrong, what, body);
      EXPECT_EQ(answer.status, 403) << wrong.path << what;
      EXPECT_EQ(answer.reason(), "token_invalid") << wrong.path << what;
      EXPECT_EQ(answer.body, expected) << wrong.path << what;
    }
    EXPECT_EQ(ask(nobody(taken.path + "/" + what, body)).status, 403);
  }
  // A key of whatever role does not stand for it, and a vhost of another tenant does not know it.
  EXPECT_EQ(ask("POST", taken.path + "/complete").status, 403);
  HttpRequest elsewhere = nobody(taken.path + "/complete?token=" + taken.token, "");
  elsewhere.tenant = "other";
  EXPECT_EQ(ask(elsewhere).status, 403);
  EXPECT_EQ(ask("GET", taken.path).text("status"), "active");
  // What waits, and what ended without its receiver's word, has none.
  const std::string waits = create("", "other").text("id");
  EXPECT_EQ(tell({"/v1/tasks/" + waits, taken.token}, "complete").status, 403);
  ask("POST", "/v1/tasks/" + waits + "/cancel");
  EXPECT_EQ(tell({"/v1/tasks/" + waits, taken.token}, "complete").status, 403);
}

}  // namespace
}  // namespace postern::test
