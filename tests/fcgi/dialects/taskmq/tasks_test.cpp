// TaskMQ's jobs over its wire: made, shown, cancelled, retried, begun again.
#include <vector>

#include "core/model/lane.h"
#include "core/model/queue.h"
#include "db/engine/settle.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class TaskMqTest : public WireTest {
 protected:
  static HttpRequest at_mount(std::string method, std::string path, std::string body = {}) {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.dialect = "taskmq";
    return out;
  }
  Answer say(std::string method, std::string path, std::string body = {}) {
    return ask(at_mount(std::move(method), std::move(path), std::move(body)));
  }
  // The number of a new job with these fields (JSON members), as text.
  std::string add(const std::string& fields = {}) {
    const Answer answer =
        say("POST", "/add-job",
            R"({"payload":{"n":1},"handler":"mail")" + (fields.empty() ? "" : "," + fields) + "}");
    EXPECT_EQ(answer.status, 200) << fields << answer.body;
    return answer.text("job_id");
  }
  Answer job(const std::string& number) { return say("GET", "/job/" + number); }
  Answer cancel(const std::string& id) {
    return say("POST", "/cancel", R"({"job_id":)" + id + "}");
  }
  Answer retry(const std::string& id) { return say("POST", "/retry", R"({"job_id":)" + id + "}"); }

  // What a scheduler does with the job that is next for the handler "mail".
  db::Claimed begin() {
    TaskSpec like;
    like.endpoint = "mail";
    const std::vector<db::LaneSlots> lanes{{lane_id("default", "taskmq", lane_target(like)), 1}};
    const auto lease = random_uuid();
    return db::claimed_from(
               admin_.exec(db::kClaim, db::claim_params(lanes, lease, Uuid{}, Seconds{30})), lease,
               Seconds{30})
        .tasks.at(0);
  }
  void end(const db::Claimed& task, State state, Reason reason, const std::string& answer) {
    auto end = db::settlement(task, state, reason);
    end.delay = Milliseconds{60'000};
    const bool good = state == State::completed;
    if (!good) end.last_error = answer;
    end.attempt = Attempt{
        task.attempt, good ? "success" : "failed", 200, "", task.claimed_at, Milliseconds{3},
        answer};
    if (is_finished(state)) end.result = postern::Answer{200, {}, answer, Milliseconds{3}};
    admin_.exec(db::kSettle, db::settle_params(Uuid{}, std::span(&end, 1)));
  }
  void succeed(const std::string& answer = "") {
    end(begin(), State::completed, Reason::none, answer);
  }
  void fail(State state = State::failed) {
    end(begin(), state, state == State::failed ? Reason::exhausted : Reason::none, "HTTP 500");
  }
};

TEST_F(TaskMqTest, AJobIsMadeWithANumber) {
  const Answer first = say("POST", "/add-job", R"({"payload":{},"handler":"mail"})");
  ASSERT_EQ(first.status, 200) << first.body;
  const std::string number = first.text("job_id");
  EXPECT_EQ(first.body, R"({"status":"ok","job_id":)" + number + "}");
  EXPECT_EQ(first.headers.at("Location"), "/job/" + number);
  EXPECT_EQ(first.headers.count("Idempotency-Replayed"), 0u);
  EXPECT_GT(std::stoll(add()), std::stoll(number));
}

TEST_F(TaskMqTest, AJobIsShownAsItWasMade) {
  const std::string number =
      add(R"("priority":20,"retry_policy":"exponential","interval_seconds":60,)"
          R"("scheduled_for":"2030-01-02T03:04:05.678901+00:00","unknown":[1])");
  const Answer shown = job(number);
  EXPECT_EQ(shown.status, 200);
  const std::string head =
      R"({"id":)" + number +
      R"(,"status":"PENDING","priority":20,"payload":{"n":1},"handler":"mail",)"
      R"("result":null,"error_log":null,"retries":0,)"
      R"("retry_policy":"exponential","interval_seconds":60,"created_at":")";
  EXPECT_EQ(shown.body.substr(0, head.size()), head);
  EXPECT_EQ(shown.text("scheduled_for"), "2030-01-02T03:04:05.678901+00:00");
  EXPECT_TRUE(shown.text("created_at").ends_with("+00:00")) << shown.text("created_at");
  EXPECT_EQ(shown.json().size(), 12u);
}

TEST_F(TaskMqTest, APayloadStaysAsItCame) {
  for (const std::string payload : {R"({})", R"({"b": 1e2, "a":[2.50],"a":null})"}) {
    const Answer made = say("POST", "/add-job", R"({"handler":"mail","payload":)" + payload + "}");
    const std::string body = job(made.text("job_id")).body;
    EXPECT_NE(body.find(R"("payload":)" + payload + ","), body.npos) << body;
  }
}

TEST_F(TaskMqTest, WhatIsLeftOutHasItsDefault) {
  const Answer shown = job(add());
  EXPECT_EQ(shown.text("priority"), "0");
  EXPECT_EQ(shown.text("retry_policy"), "fixed");
  EXPECT_EQ(shown.text("interval_seconds"), "null");
}

TEST_F(TaskMqTest, WhatIsNotInTheFutureStartsNow) {
  for (const std::string sent : {"null", R"("2001-01-01T00:00:00Z")", "0", "-5"}) {
    const std::string number = add(R"("scheduled_for":)" + sent);
    EXPECT_EQ(
        count("SELECT count(*) FROM postern.task WHERE state = 'ready' AND job_id = " + number), 1)
        << sent;
  }
}

TEST_F(TaskMqTest, PrioritiesAndPoliciesAreThoseOfTheEngine) {
  for (const auto& [sent, kept] :
       {std::pair{-1000, 0}, {-1, 23}, {0, 25}, {1, 27}, {10, 50}, {20, 75}, {1000, 100}}) {
    EXPECT_EQ(count("SELECT priority FROM postern.task WHERE job_id = " +
                    add(R"("priority":)" + std::to_string(sent))),
              kept)
        << sent;
  }
  for (const auto& [sent, kept] : {std::pair{"fixed", "taskmq-fixed"},
                                   {"exponential", "taskmq-exponential"},
                                   {"none", "none"}}) {
    EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE max_attempts = 3 AND queue = 'taskmq'"
                    " AND retry_policy = '" +
                    std::string(kept) +
                    "' AND job_id = " + add(R"("retry_policy":")" + std::string(sent) + "\"")),
              1)
        << sent;
  }
}

TEST_F(TaskMqTest, ItsQueueNeedsNotBeMade) {
  start({.auto_create_queues = false});
  EXPECT_EQ(job(add()).text("status"), "PENDING");
}

TEST_F(TaskMqTest, ABodyThatIsWrongMakesNoJob) {
  const Answer missing = say("POST", "/add-job", R"({"payload":{}})");
  EXPECT_EQ(missing.status, 422);
  EXPECT_EQ(missing.body, R"({"detail":[{"loc":["body","handler"],"msg":"field required",)"
                          R"("type":"value_error.missing"}]})");
  const Answer far = say("POST", "/add-job",
                         R"({"payload":{},"handler":"mail",)"
                         R"("scheduled_for":"2300-01-01T00:00:00Z"})");
  EXPECT_EQ(far.status, 422);
  EXPECT_EQ(far.body,
            R"({"detail":[{"loc":["body","scheduled_for"],)"
            R"("msg":"scheduled_for must be at most ten years from now.","type":"value_error"}]})");
  for (const char* path : {"/cancel", "/retry"}) {
    const Answer answer = say("POST", path, "{");
    EXPECT_EQ(answer.status, 422);
    EXPECT_EQ(answer.text("detail/0/type"), "value_error.jsondecode");
  }
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
}

TEST_F(TaskMqTest, AJobGoesFromPendingToSuccess) {
  const std::string number = add();
  EXPECT_EQ(job(number).text("status"), "PENDING");
  const auto running = begin();
  EXPECT_EQ(running.spec.job_id, std::stoll(number));
  EXPECT_EQ(job(number).text("status"), "RUNNING");
  end(running, State::completed, Reason::none, R"({"sent": 3})");
  const Answer done = job(number);
  EXPECT_EQ(done.text("status"), "SUCCESS");
  EXPECT_EQ(done.text("result/sent"), "3");
  EXPECT_EQ(done.text("error_log"), "null");
  EXPECT_EQ(done.text("retries"), "0");
}

TEST_F(TaskMqTest, AResultThatIsNoObjectIsAText) {
  for (const auto& [answer, shown] :
       {std::pair{"", "null"}, {"[1]", "[1]"}, {"done", "done"}, {R"({"a":)", R"({"a":)"}}) {
    const std::string number = add();
    succeed(answer);
    EXPECT_EQ(job(number).text("result"), shown);
  }
}

TEST_F(TaskMqTest, AFailureIsLoggedAndCounted) {
  const std::string number = add();
  fail(State::delayed);
  Answer shown = job(number);
  EXPECT_EQ(shown.text("status"), "PENDING");
  EXPECT_EQ(shown.text("error_log"), "HTTP 500");
  EXPECT_EQ(shown.text("retries"), "1");
  admin_.script("UPDATE postern.task SET state = 'ready', run_at = now()");
  fail();
  shown = job(number);
  EXPECT_EQ(shown.text("status"), "FAILED");
  EXPECT_EQ(shown.text("error_log"), "HTTP 500");
  EXPECT_EQ(shown.text("retries"), "2");
  EXPECT_EQ(shown.text("result"), "null");
}

TEST_F(TaskMqTest, OnlyWhatIsPendingIsCancelled) {
  constexpr char kNotPending[] = R"({"detail":"Job is not pending"})";
  const std::string number = add();
  const Answer cancelled = cancel(number);
  EXPECT_EQ(cancelled.status, 200);
  EXPECT_EQ(cancelled.body, R"({"status":"cancelled","job_id":)" + number + "}");
  EXPECT_EQ(job(number).text("status"), "FAILED");
  EXPECT_EQ(job(number).text("error_log"), "Cancelled by admin");
  EXPECT_EQ(cancel(number).body, kNotPending);
  EXPECT_EQ(cancel(number).status, 409);

  const std::string running = add();
  const auto claimed = begin();
  EXPECT_EQ(cancel(running).body, kNotPending);
  end(claimed, State::completed, Reason::none, "");
  EXPECT_EQ(cancel(running).body, kNotPending);
  EXPECT_EQ(job(running).text("status"), "SUCCESS");
}

TEST_F(TaskMqTest, OnlyWhatFailedOrWasCancelledIsRetried) {
  constexpr char kNotFailed[] = R"({"detail":"Job is not failed"})";
  const std::string number = add(R"("retry_policy":"none")");
  EXPECT_EQ(retry(number).body, kNotFailed);
  EXPECT_EQ(retry(number).status, 409);
  fail();
  const Answer retried = retry(number);
  EXPECT_EQ(retried.status, 200);
  EXPECT_EQ(retried.body, R"({"status":"retrying","job_id":)" + number + "}");
  EXPECT_EQ(job(number).text("status"), "PENDING");
  EXPECT_EQ(job(number).text("retries"), "0");
  const auto running = begin();
  EXPECT_EQ(retry(number).body, kNotFailed);
  end(running, State::completed, Reason::none, "");
  EXPECT_EQ(retry(number).body, kNotFailed);
  EXPECT_EQ(retry(number).status, 409);

  const std::string cancelled = add();
  cancel(cancelled);
  EXPECT_EQ(retry(cancelled).status, 200);
  EXPECT_EQ(job(cancelled).text("status"), "PENDING");
}

TEST_F(TaskMqTest, ARetriedJobKeepsATimeThatHasNotCome) {
  const std::string number = add(R"("scheduled_for":"2031-01-02T03:04:05Z")");
  cancel(number);
  EXPECT_EQ(retry(number).status, 200);
  const Answer shown = job(number);
  EXPECT_EQ(shown.text("status"), "PENDING");
  EXPECT_EQ(shown.text("scheduled_for"), "2031-01-02T03:04:05+00:00");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'delayed'"), 1);
}

// Windows' editors and PowerShell write one.
TEST_F(TaskMqTest, ABodyMayBeginWithAByteOrderMark) {
  const Answer made = say("POST", "/add-job",
                          "\xef\xbb\xbf"
                          R"({"payload":{},"handler":"mail"})");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(cancel(made.text("job_id")).status, 200);
  EXPECT_EQ(say("POST", "/retry", "\xef\xbb\xbf{\"job_id\":" + made.text("job_id") + "}").status,
            200);
}

TEST_F(TaskMqTest, APeriodicJobIsPendingAgainWhenItSucceeded) {
  const std::string number = add(R"("interval_seconds":3600)");
  succeed("done");
  const Answer shown = job(number);
  EXPECT_EQ(shown.text("status"), "PENDING");
  EXPECT_EQ(shown.text("retries"), "0");
  EXPECT_EQ(shown.text("error_log"), "null");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'delayed' AND run_at BETWEEN "
                  "now() + interval '3590 seconds' AND now() + interval '3600 seconds'"),
            1);
  EXPECT_EQ(cancel(number).status, 200);
  EXPECT_EQ(job(number).text("status"), "FAILED");
}

TEST_F(TaskMqTest, AJobIsFoundByEverySpellingOfItsId) {
  const std::string number = add();
  const TaskId id = db::task_of_job(admin_, "default", std::stoll(number)).value();
  for (const std::string& spelled : {number, to_typeid(id), to_uuid(id), to_ksuid(id)}) {
    EXPECT_EQ(job(spelled).text("id"), number) << spelled;
  }
}

// A task of another dialect has no number.
TEST_F(TaskMqTest, ATaskOfAnotherDialectIsShownAsAJob) {
  const std::string id = create(R"("payload":{"a":1},"priority":8)").text("id");
  const Answer shown = job(id);
  EXPECT_EQ(shown.text("id"), to_uuid(*parse_task_id(id)));
  EXPECT_EQ(shown.text("status"), "PENDING");
  EXPECT_EQ(shown.text("handler"), "http://receiver.test/");
  EXPECT_EQ(shown.text("payload/a"), "1");
}

TEST_F(TaskMqTest, ANumberMayBeSentAsText) {
  const std::string number = add();
  EXPECT_EQ(cancel("\"" + number + "\"").body, R"({"status":"cancelled","job_id":)" + number + "}");
  EXPECT_EQ(retry("\"" + number + "\"").status, 200);
}

TEST_F(TaskMqTest, AJobThatIsNotThereIsNotFound) {
  constexpr char kNotFound[] = R"({"detail":"Job not found"})";
  for (const std::string number : {"999999", "0", "-1", "99999999999999999999"}) {
    EXPECT_EQ(job(number).body, kNotFound) << number;
    EXPECT_EQ(cancel(number).body, kNotFound) << number;
    const Answer answer = retry(number);
    EXPECT_EQ(answer.body, kNotFound) << number;
    EXPECT_EQ(answer.status, 404) << number;
  }
  EXPECT_EQ(job("nonsense").body, kNotFound);
  const std::string number = add();
  HttpRequest stranger = at_mount("GET", "/job/" + number);
  stranger.key_tenant = "acme";
  EXPECT_EQ(ask(stranger).body, kNotFound);
}

TEST_F(TaskMqTest, AnIdempotencyKeyMakesOneJob) {
  HttpRequest post = at_mount("POST", "/add-job", R"({"payload":{},"handler":"mail"})");
  post.idempotency_key = "k";
  const Answer first = ask(post);
  const Answer again = ask(post);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.headers.at("Idempotency-Replayed"), "true");
  EXPECT_EQ(again.headers.at("Location"), first.headers.at("Location"));

  post.body = R"({"payload":{},"handler":"other"})";
  const Answer other = ask(post);
  EXPECT_EQ(other.status, 422);
  EXPECT_NE(other.text("detail").find("Idempotency-Key"), std::string::npos) << other.body;

  post.idempotency_key = std::string(129, 'k');
  const Answer bad = ask(post);
  EXPECT_EQ(bad.status, 422);
  EXPECT_EQ(boost::json::serialize(bad.at("detail/0/loc")), R"(["header","Idempotency-Key"])");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1);
}

TEST_F(TaskMqTest, AQueueThatIsFullIsAConflict) {
  add();
  admin_.script("UPDATE postern.queue SET max_entries = 1 WHERE name = 'taskmq'");
  start({});
  const Answer answer = say("POST", "/add-job", R"({"payload":{},"handler":"mail"})");
  EXPECT_EQ(answer.status, 409);
  EXPECT_TRUE(answer.at("detail").is_string()) << answer.body;
}

TEST_F(TaskMqTest, WhereAllAreSpokenAJobSpeaksForItself) {
  const std::string number = add();
  EXPECT_EQ(ask("GET", "/v1/tasks/" + number).body, job(number).body);
  EXPECT_EQ(ask("POST", "/v1/tasks/" + number + "/cancel").text("error_log"), "Cancelled by admin");
  const Answer again = ask("POST", "/v1/tasks/" + number + "/cancel");
  EXPECT_EQ(again.status, 409);
  EXPECT_TRUE(again.at("detail").is_string()) << again.body;
  EXPECT_EQ(ask("GET", "/v1/tasks/999999").body, R"({"detail":"Job not found"})");
}

}  // namespace
}  // namespace postern::test
