// AsyncQueue's dialect at its own mount.
#include "tests/support/tasks.h"
#include "core/base/uuid.h"
#include "db/engine/claim.h"
#include "db/engine/settle.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class AsyncQueueTest : public WireTest {
 protected:
  Answer at(std::string method, std::string path, std::string body = {}) {
    HttpRequest asked = request(std::move(method), std::move(path), std::move(body));
    asked.dialect = "asyncqueue";
    return ask(asked);
  }
  Answer make(const std::string& more = "") {
    return at("POST", "/v1/tasks", R"({"targetUrl":"http://a.test/")" + more + "}");
  }
  static std::string told(const Answer& answer) {
    return std::to_string(answer.status) + " " + answer.text("error");
  }
  // As a scheduler would: claims the one task there is, and settles it.
  db::Claimed claim_it() {
    auto scheduler = database_.connect("postern_scheduler");
    const auto row = admin_.exec({"", "SELECT lane FROM postern.task WHERE state = 'ready'"});
    const std::vector<db::LaneSlots> lanes{{row.integer(0, 0), 1}};
    const auto lease = random_uuid();
    return db::claimed_from(
               scheduler.exec(db::kClaim, db::claim_params(lanes, lease, Uuid{}, Seconds{30})),
               lease, Seconds{30})
        .tasks.at(0);
  }
  void settle(const db::Claimed& claimed, State state, Reason reason, int status,
              std::string error = {}) {
    auto scheduler = database_.connect("postern_scheduler");
    auto end = db::settlement(claimed, state, reason);
    end.delay = Seconds{60};
    if (state != State::active) {
      end.attempt = Attempt{claimed.attempt,
                            error.empty() ? "success" : "failed",
                            status,
                            error,
                            claimed.claimed_at,
                            Milliseconds{12},
                            "said"};
      end.last_error = error;
    }
    if (is_finished(state)) {
      end.result = postern::Answer{status, {{"x-a", "b"}}, "said", Milliseconds{12}};
    }
    scheduler.exec(db::kSettle, db::settle_params(Uuid{}, std::vector{end}));
  }
};

TEST_F(AsyncQueueTest, ATaskHasEveryKeyAlways) {
  const Answer made = make();
  ASSERT_EQ(made.status, 201) << made.body;
  const std::pair<const char*, const char*> expected[] = {{"teamId", "default"},
                                                          {"status", "pending"},
                                                          {"targetUrl", "http://a.test/"},
                                                          {"method", "POST"},
                                                          {"headers", "{}"},
                                                          {"body", "null"},
                                                          {"maxWaitTime", "30"},
                                                          {"timeout", "30"},
                                                          {"delayUntil", "null"},
                                                          {"maxRetries", "3"},
                                                          {"retryBackoff", "exponential"},
                                                          {"priority", "5"},
                                                          {"onCompleteUrl", "null"},
                                                          {"waitForSignal", "false"},
                                                          {"provider", "null"},
                                                          {"pollConfig", "null"},
                                                          {"retryCount", "0"},
                                                          {"result", "null"},
                                                          {"error", "null"},
                                                          {"startedAt", "null"},
                                                          {"completedAt", "null"}};
  for (const auto& [key, value] : expected) {
    EXPECT_TRUE(made.json().at("task").as_object().contains(key)) << key;
    EXPECT_EQ(made.text(std::string("task/") + key).substr(0, 30), value) << key;
  }
  EXPECT_EQ(made.json().at("task").as_object().size(), std::size(expected) + 2);  // id, createdAt
  const std::string id = made.text("task/id");
  EXPECT_EQ(id.size(), 36U);
  EXPECT_TRUE(made.text("task/createdAt").ends_with("Z"));
  EXPECT_EQ(made.text("task/createdAt").size(), 24U);  // with milliseconds
  EXPECT_EQ(made.headers.at("Location"), "/v1/tasks/" + id);
  EXPECT_FALSE(made.json().contains("signalToken"));
  EXPECT_EQ(at("GET", "/v1/tasks/" + id).body, made.body);
}

TEST_F(AsyncQueueTest, EveryFieldIsKept) {
  const Answer made = make(
      R"(,"method":"PUT","headers":{"X-A":"b"},"body":"{}","maxWaitTime":120,"timeout":45.0,)"
      R"("delayUntil":"2030-01-01T02:00:00.0004+02:00","maxRetries":10,"retryBackoff":"linear",)"
      R"("priority":9,"onCompleteUrl":"http://b.test/done","unknown":1)");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::pair<const char*, const char*> expected[] = {
      {"method", "PUT"},      {"body", "{}"},
      {"maxWaitTime", "120"}, {"timeout", "45"},
      {"status", "delayed"},  {"delayUntil", "2030-01-01T00:00:00.000Z"},
      {"maxRetries", "10"},   {"retryBackoff", "linear"},
      {"priority", "9"},      {"onCompleteUrl", "http://b.test/done"},
      {"headers/X-A", "b"}};
  for (const auto& [key, value] : expected)
    EXPECT_EQ(made.text(std::string("task/") + key), value) << key;
  EXPECT_EQ(count("SELECT timeout_ms FROM postern.task"), 45'000);
}

TEST_F(AsyncQueueTest, AnAttemptEndsWithTheShorterOfItsTwoTimes) {
  make(R"(,"maxWaitTime":7,"timeout":20)");
  EXPECT_EQ(count("SELECT timeout_ms FROM postern.task"), 7000);
}

TEST_F(AsyncQueueTest, SecondsMayHaveAFraction) {
  EXPECT_NE(make(R"(,"timeout":2.5)").body.find(R"("timeout":2.5)"), std::string::npos);
  EXPECT_EQ(count("SELECT timeout_ms FROM postern.task"), 2500);
}

TEST_F(AsyncQueueTest, AnIntegerMayBeWrittenAsANumber) {
  const Answer made = make(R"(,"maxRetries":5.0,"priority":7e0)");
  EXPECT_EQ(made.text("task/maxRetries"), "5") << made.body;
  EXPECT_EQ(made.text("task/priority"), "7");
  EXPECT_EQ(make(R"(,"maxRetries":1e-400)").text("task/maxRetries"), "0");
}

TEST_F(AsyncQueueTest, ATimeIsTakenInTheFormsOfIso8601) {
  const std::pair<const char*, const char*> cases[] = {
      {"2031-05-05T10:00:00.250+02:00", "2031-05-05T08:00:00.250Z"},
      {"2031-05-05T10:00:00", "2031-05-05T10:00:00.000Z"},
      {"2031-05-05T10:00Z", "2031-05-05T10:00:00.000Z"},
      {"2031-05-05", "2031-05-05T00:00:00.000Z"}};
  for (const auto& [given, shown] : cases) {
    const Answer made = make(std::string(R"(,"delayUntil":")") + given + '"');
    EXPECT_EQ(made.text("task/delayUntil"), shown) << made.body;
  }
}

TEST_F(AsyncQueueTest, TheFormerNameOfItsTargetIsTaken) {
  EXPECT_EQ(at("POST", "/v1/tasks", R"({"callbackUrl":"http://c.test/"})").text("task/targetUrl"),
            "http://c.test/");
}

TEST_F(AsyncQueueTest, RefusesWithTheFieldInTheText) {
  const std::pair<std::string, std::string> cases[] = {
      {R"(,"targetUrl":"ftp://a/")", "targetUrl"},
      {R"(,"method":"PATCH")", "method must be GET, POST, PUT or DELETE"},
      {R"(,"method":"post")", "method must be GET, POST, PUT or DELETE"},
      {R"(,"headers":{"X":1})", "headers.X"},
      {R"(,"headers":{"Authorization":"tok_abc"})", "headers.Authorization is not supported"},
      {R"(,"provider":"openai")", "provider is not supported"},
      {R"(,"pollConfig":{})", "pollConfig is not supported"},
      {R"(,"body":{})", "body"},
      {R"(,"maxWaitTime":0)", "maxWaitTime"},
      {R"(,"timeout":"30")", "timeout"},
      {R"(,"timeout":1801)", "timeout"},
      {R"(,"timeout":1e999)", "timeout"},
      {R"(,"delayUntil":"soon")", "delayUntil"},
      {R"(,"delayUntil":"2031-13-05")", "delayUntil"},
      {R"(,"maxRetries":11)", "maxRetries"},
      {R"(,"maxRetries":-1)", "maxRetries"},
      {R"(,"maxRetries":1e999)", "maxRetries"},
      {R"(,"maxRetries":-1e999)", "maxRetries"},
      {R"(,"retryBackoff":"fixed")", "retryBackoff"},
      {R"(,"priority":0)", "priority"},
      {R"(,"priority":5.5)", "priority"},
      {R"(,"onCompleteUrl":"x")", "onCompleteUrl"},
      {R"(,"waitForSignal":"yes")", "waitForSignal"},
  };
  for (const auto& [more, field] : cases) {
    const std::string body = more.find("targetUrl") != more.npos
                                 ? "{" + more.substr(1) + "}"
                                 : R"({"targetUrl":"http://a.test/")" + more + "}";
    const Answer answer = at("POST", "/v1/tasks", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(answer.text("error").find(field), std::string::npos) << answer.body;
  }
  EXPECT_EQ(told(at("POST", "/v1/tasks", "{}")), "400 targetUrl is required.");
}

TEST_F(AsyncQueueTest, ItsErrorsAreTexts) {
  EXPECT_EQ(told(at("GET", "/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057")),
            "404 Task not found");
  EXPECT_EQ(at("GET", "/v1/nothing").status, 404);
  EXPECT_EQ(at("PUT", "/v1/tasks").status, 405);
  HttpRequest asked = request("GET", "/v1/tasks");
  asked.dialect = "asyncqueue";
  const std::pair<Verdict, std::string> verdicts[] = {
      {Verdict::missing, "401 API key required"},
      {Verdict::invalid, "401 Invalid or revoked API key"},
      {Verdict::forbidden, "403 Access denied"}};
  for (const auto& [verdict, expected] : verdicts) {
    asked.verdict = verdict;
    EXPECT_EQ(told(ask(asked)), expected);
  }
  asked.verdict = Verdict::ok;
  asked.method = "POST";
  asked.role = "read";
  EXPECT_EQ(told(ask(asked)), "403 Access denied");
}

TEST_F(AsyncQueueTest, TheStatusFiltersAsItShows) {
  make();
  make(R"(,"delayUntil":"2030-01-01T00:00:00Z")");
  const auto listed = [&](const std::string& query) {
    const auto body = at("GET", "/v1/tasks" + query).json();
    return body.at("tasks").as_array().size();
  };
  EXPECT_EQ(listed(""), 2U);
  EXPECT_EQ(listed("?status=pending"), 1U);
  EXPECT_EQ(listed("?status=delayed"), 1U);
  for (const char* status :
       {"processing", "waiting", "polling", "completed", "failed", "timeout", "cancelled"}) {
    EXPECT_EQ(listed(std::string("?status=") + status), 0U) << status;
    EXPECT_EQ(ask(request("GET", std::string("/v1/tasks?status=") + status)).text("count"), "0")
        << status;
  }
  const Answer page = at("GET", "/v1/tasks?limit=1&offset=0");
  EXPECT_EQ(page.text("pagination"), R"({"total":2,"limit":1,"offset":0,"hasMore":true})");
  EXPECT_EQ(at("GET", "/v1/tasks?limit=500").text("pagination/limit"), "100");
  EXPECT_EQ(at("GET", "/v1/tasks").text("pagination/limit"), "20");
  for (const char* query : {"limit=0", "limit=x", "offset=-1", "status=new"}) {
    EXPECT_EQ(at("GET", std::string("/v1/tasks?") + query).status, 400) << query;
  }
}

TEST_F(AsyncQueueTest, SaysWhatCameOfATask) {
  const std::string id = make().text("task/id");
  const std::string path = "/v1/tasks/" + id;
  const auto claimed = claim_it();
  EXPECT_EQ(at("GET", path).text("task/status"), "processing");
  settle(claimed, State::completed, Reason::none, 404);
  const Answer done = at("GET", path);
  EXPECT_EQ(done.text("task/status"), "completed");
  EXPECT_EQ(done.text("task/result"),
            R"({"statusCode":404,"headers":{"x-a":"b"},"body":"said","duration":12})");
  EXPECT_NE(done.text("task/startedAt"), "null");
  EXPECT_NE(done.text("task/completedAt"), "null");
  EXPECT_EQ(told(at("POST", path + "/cancel")), "409 Cannot cancel task with status: completed");
  EXPECT_EQ(told(at("DELETE", path)), "409 Cannot delete task with status: completed");
  EXPECT_EQ(at("POST", path + "/retry").text("task/status"), "pending");
  EXPECT_EQ(told(at("POST", path + "/retry")), "409 Cannot retry task with status: pending");
  settle(claim_it(), State::failed, Reason::exhausted, 500, "HTTP 500");
  EXPECT_EQ(at("GET", path).text("task/status"), "failed");
  EXPECT_EQ(at("GET", path).text("task/error"), "Server error: HTTP 500 - Internal Server Error");
  EXPECT_EQ(at("GET", path).text("task/retryCount"), "1");
}

TEST_F(AsyncQueueTest, DelayUntilIsNotTheTimeOfTheNextAttempt) {
  const std::string path = "/v1/tasks/" + make().text("task/id");
  settle(claim_it(), State::delayed, Reason::none, 500, "HTTP 500");
  EXPECT_EQ(at("GET", path).text("task/status"), "pending");
  EXPECT_EQ(at("GET", path).text("task/retryCount"), "0");
  EXPECT_EQ(at("GET", path).text("task/delayUntil"), "null");
}

TEST_F(AsyncQueueTest, ATaskOfAnotherDialectHasOneOfTheTwoBackOffs) {
  HttpRequest job = request("POST", "/add-job", R"({"handler":"h","payload":{}})");
  job.dialect = "taskmq";
  ASSERT_EQ(ask(job).status, 200);
  EXPECT_EQ(at("GET", "/v1/tasks").text("tasks/0/retryBackoff"), "linear");
  ask(request("POST", "/v1/tasks",
              R"({"queue":"q","webhook_url":"http://a.test/","retry_policy":{"intervals":[1]}})"));
  EXPECT_EQ(at("GET", "/v1/tasks").text("tasks/0/retryBackoff"), "exponential");
}

class Signals : public AsyncQueueTest {
 protected:
  void SetUp() override {
    const Answer made = make(R"(,"waitForSignal":true,"maxWaitTime":3600)");
    ASSERT_EQ(made.status, 201) << made.body;
    path_ = "/v1/tasks/" + made.text("task/id");
    token_ = made.text("signalToken");
    EXPECT_EQ(made.text("task/waitForSignal"), "true");
    EXPECT_EQ(made.body.find(token_.substr(36)), made.body.rfind(token_.substr(36)));
  }
  Answer signal(const std::string& body, const std::string& token) {
    HttpRequest asked = request("POST", "/v1/signals/" + token, body);
    asked.verdict = Verdict::missing;  // the token is all there is
    return ask(asked);
  }
  std::string status() { return at("GET", path_).text("task/status"); }

  std::string path_, token_;
};

TEST_F(Signals, TellTheEndOfATaskThatWaits) {
  const auto claimed = claim_it();
  const std::string started = at("GET", path_).text("task/startedAt");
  settle(claimed, State::active, Reason::none, 200);
  EXPECT_EQ(status(), "waiting");
  EXPECT_EQ(at("GET", path_).text("task/startedAt"), started);
  EXPECT_EQ(at("GET", "/v1/tasks?status=waiting").json().at("tasks").as_array().size(), 1U);
  const Answer done = signal(R"({"status":"completed","approved":true})", token_);
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.text("task/status"), "completed");
  EXPECT_EQ(done.text("task/startedAt"), started);
  EXPECT_EQ(done.text("task/result/body"), R"({"status":"completed","approved":true})");
  EXPECT_EQ(told(signal(R"({"status":"failed"})", token_)),
            "409 Cannot signal task with status: completed");
  EXPECT_EQ(status(), "completed");
}

TEST_F(Signals, MayTellAFailure) {
  settle(claim_it(), State::active, Reason::none, 200);
  const Answer done = signal(R"({"status":"failed","error":"refused"})", token_);
  EXPECT_EQ(done.text("task/status"), "failed");
  EXPECT_EQ(done.text("task/error"), "refused");
}

TEST_F(Signals, MayComeWhileTheWebhookIsUnderWayButNotBefore) {
  EXPECT_EQ(told(signal(R"({"status":"completed"})", token_)),
            "409 Cannot signal task with status: pending");
  const auto claimed = claim_it();
  EXPECT_EQ(signal(R"({"status":"completed"})", token_).status, 200);
  settle(claimed, State::active, Reason::none, 200);  // its answer comes too late to matter
  EXPECT_EQ(status(), "completed");
}

TEST_F(Signals, OnlyTheTokenOpens) {
  settle(claim_it(), State::active, Reason::none, 200);
  std::string other = token_;
  other.back() = other.back() == '0' ? '1' : '0';
  for (const std::string& token :
       {other, std::string("sig_"), std::string("x"), token_.substr(0, 40), token_ + "0"}) {
    const Answer refused = signal(R"({"status":"completed"})", token);
    EXPECT_EQ(refused.status, 404) << token;
    EXPECT_TRUE(refused.at("error").is_string());
  }
  for (const char* body : {"", "{}", R"({"status":"done"})"}) {
    EXPECT_EQ(signal(body, token_).status, 400) << body;
  }
  EXPECT_EQ(status(), "waiting");
}

// It can be derived from what is; docs/dialects/asyncqueue.md says so.
TEST_F(Signals, TheTokenItselfIsNotStored) {
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE task::text LIKE '%" + token_.substr(36) +
                  "%'"),
            0);
}

}  // namespace
}  // namespace postern::test
