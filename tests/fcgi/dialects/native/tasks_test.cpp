// The native dialect over the wire: create, read, list, and what a client may do with a task.
#include <set>
#include <thread>

#include "core/model/validation.h"
#include "db/engine/settle.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class NativeTest : public WireTest {
 protected:
  // Takes one ready task of the queue to its end, as a scheduler would.
  void finish(const std::string& queue, State state, Reason reason) {
    const auto lane =
        admin_.exec({"", "SELECT lane FROM postern.task WHERE queue = $1 AND state = 'ready'"},
                    db::Params().text(queue));
    ASSERT_EQ(lane.rows(), 1);
    const Uuid instance = random_uuid();
    const db::LaneSlots slots{lane.integer(0, 0), 1};
    const Uuid lease = random_uuid();
    const auto claimed =
        db::claimed_from(admin_.exec(db::kClaim, db::claim_params(std::span(&slots, 1), lease,
                                                                  instance, Seconds{5})),
                         lease, Seconds{5})
            .tasks;
    ASSERT_EQ(claimed.size(), 1u);
    if (!is_finished(state)) return;
    Attempt attempt;
    attempt.number = claimed[0].attempt;
    attempt.status = state == State::completed ? "success" : "failed";
    attempt.response_code = 200;
    attempt.executed_at = claimed[0].claimed_at;
    auto settlement = db::settlement(claimed[0], state, reason);
    settlement.attempt = attempt;
    settlement.result = postern::Answer{200, {{"x-a", "1"}}, "done", Milliseconds{7}};
    const auto settled =
        admin_.exec(db::kSettle, db::settle_params(instance, std::span(&settlement, 1)));
    ASSERT_EQ(db::settled_from(settled).tasks.size(), 1u);
  }
  void claim_only(const std::string& queue) { finish(queue, State::active, Reason::none); }

  std::string ready_task(const std::string& queue) {
    return ask("POST", "/v1/tasks",
               R"({"webhook_url":"http://receiver.test/","queue":")" + queue + "\"}")
        .text("id");
  }
};

TEST_F(NativeTest, CreatesAndReadsBack) {
  HttpRequest post = request("POST", "/v1/tasks", R"({
      "queue": "emails", "webhook_url": "https://your-app.com/webhooks/send-email",
      "payload": {"to": "user@example.com", "template": "welcome"}, "delay": 300, "priority": 8})");
  post.base_path = "/queue";
  const Answer made = ask(post);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_TRUE(made.text("id").starts_with("task_"));
  EXPECT_EQ(made.headers.at("Location"), "/queue/v1/tasks/" + made.text("id"));
  EXPECT_EQ(made.text("queue"), "emails");
  EXPECT_EQ(made.text("status"), "pending");
  EXPECT_EQ(made.text("priority"), "8");
  EXPECT_EQ(made.text("delay"), "300");
  EXPECT_EQ(made.text("created_at").size(), std::string("2025-01-15T10:30:00Z").size());

  const Answer read = ask("GET", "/v1/tasks/" + made.text("id"));
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.json(), made.json());
  EXPECT_NE(read.body.find(R"("payload":{"to": "user@example.com", "template": "welcome"})"),
            std::string::npos);

  // In the other spellings too.
  const TaskId id = parse_task_id(made.text("id")).value();
  EXPECT_EQ(ask("GET", "/v1/tasks/" + to_uuid(id)).body, read.body);
  EXPECT_EQ(ask("GET", "/v1/tasks/" + to_ksuid(id)).body, read.body);
  const Answer head = ask("HEAD", "/v1/tasks/" + made.text("id"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(NativeTest, ShowsWhatWasSet) {
  const Answer made = create(
      R"("method":"PUT","headers":{"X-A":"1"},"body":"raw\u0000text","content_type":"text/plain","timeout":120,
         "deadline":"2099-01-01T00:00:00Z","max_retries":7,"retry_policy":{"intervals":[1,2.5],"jitter":0.1},
         "tags":["a","b"])");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(ask("GET", "/v1/tasks/" + made.text("id")).json(), made.json());
  EXPECT_EQ(made.text("method"), "PUT");
  EXPECT_EQ(made.text("headers/X-A"), "1");
  EXPECT_EQ(made.text("body"), std::string("raw\0text", 8));
  EXPECT_EQ(made.text("content_type"), "text/plain");
  EXPECT_EQ(made.text("timeout"), "120");
  EXPECT_EQ(made.text("deadline"), "2099-01-01T00:00:00Z");
  EXPECT_EQ(made.text("max_retries"), "7");
  EXPECT_EQ(made.text("retry_policy/jitter"), "1E-1");
  EXPECT_EQ(made.text("tags/1"), "b");
}

TEST_F(NativeTest, KeepsPayloadsByteForByte) {
  const std::string payload =
      R"({ "z":1e2, "a" :[ -0, 123456789012345678901234567890 ],"nul":"\u0000","z":2 })";
  const Answer made = create("\"payload\":" + payload);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_NE(ask("GET", "/v1/tasks/" + made.text("id")).body.find("\"payload\":" + payload),
            std::string::npos);
}

TEST_F(NativeTest, RefusesWhatCannotBe) {
  struct Case {
    std::string_view fields, reason, field;
  };
  const std::string long_url = R"("webhook_url":"http://a.test/)" + std::string(2048, 'x') + '"';
  const Case cases[] = {
      {R"("queue":"")", "queue_name_required", "queue"},
      {R"("queue":"../etc")", "queue_name_invalid", "queue"},
      {R"("queue":"\u0000")", "queue_name_invalid", "queue"},
      {R"("queue":"\ud83d\udc18")", "queue_name_invalid", "queue"},
      {R"("queue":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")",
       "queue_name_invalid", "queue"},
      {R"("webhook_url":"")", "url_required", "webhook_url"},
      {R"("webhook_url":"ftp://a.test/")", "url_invalid", "webhook_url"},
      {R"("webhook_url":"http://u:p@a.test/")", "url_invalid", "webhook_url"},
      {R"("webhook_url":"http://a.test:0/")", "url_invalid", "webhook_url"},
      {R"("webhook_url":"http://a.test/\r\nX: y")", "url_invalid", "webhook_url"},
      {R"("webhook_url":"/relative")", "url_invalid", "webhook_url"},
      {long_url, "url_invalid", "webhook_url"},
      {R"("delay":-1)", "delay_out_of_range", "delay"},
      {R"("delay":9223372036854775808)", "delay_out_of_range", "delay"},
      {R"("delay":400000000)", "delay_out_of_range", "delay"},
      {R"("max_retries":-1)", "max_retries_out_of_range", "max_retries"},
      {R"("max_retries":1000000000)", "max_retries_out_of_range", "max_retries"},
      {R"("timeout":0)", "timeout_out_of_range", "timeout"},
      {R"("timeout":1801)", "timeout_out_of_range", "timeout"},
      {R"("timeout":9223372036854775807)", "timeout_out_of_range", "timeout"},
      {R"("timeout":-9223372036854775808)", "timeout_out_of_range", "timeout"},
      {R"("method":"get")", "method_invalid", "method"},
      {R"("method":"TRACE")", "method_invalid", "method"},
      {R"("headers":{"Host":"x"})", "header_reserved", "headers.Host"},
      {R"("headers":{"A":"x\r\nB: y"})", "header_value_invalid", "headers.A"},
      {R"("headers":{"A B":"x"})", "header_name_invalid", "headers.A B"},
      {R"("headers":{"A":"1","a":"2"})", "header_repeated", "headers.a"},
      {R"("run_at":"2999-01-01T00:00:00Z")", "run_at_out_of_range", "run_at"},
      {R"("deadline":"2020-01-01T00:00:00Z")", "deadline_past", "deadline"},
      {R"("delay":252288000,"deadline":"2030-01-01T00:00:00Z")", "deadline_before_start",
       "deadline"},
      {R"("run_at":"2031-01-01T00:00:00Z","deadline":"2030-01-01T00:00:00Z")",
       "deadline_before_start", "deadline"},
      {R"("retry_policy":"often")", "unknown_retry_policy", "retry_policy"},
      {R"("retry_policy":{"intervals":[]})", "retry_policy_invalid", "retry_policy"},
      {R"("tags":["a,b"])", "tag_invalid", "tags"},
      {R"("tags":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])",
       "tags_too_many", "tags"},
  };
  for (const auto& [fields, reason, field] : cases) {
    // Given alone; what else is needed is filled in.
    std::string body = "{" + std::string(fields);
    if (fields.find("\"queue\"") == fields.npos) body += R"(,"queue":"q")";
    if (fields.find("\"webhook_url\"") == fields.npos) body += R"(,"webhook_url":"http://a.test/")";
    const Answer answer = ask("POST", "/v1/tasks", body + "}");
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.text("error/code"), "invalid_argument") << body;
    EXPECT_EQ(answer.reason(), reason) << body;
    EXPECT_EQ(answer.field(), field) << body;
  }
  EXPECT_EQ(ask("POST", "/v1/tasks", R"({"queue":"q"})").reason(), "url_required");
  EXPECT_EQ(ask("POST", "/v1/tasks", "{}").reason(), "queue_name_required");
  EXPECT_EQ(ask("POST", "/v1/tasks").reason(), "invalid_json");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue"), 0);
}

TEST_F(NativeTest, TakesWhatIsJustAllowed) {
  for (const std::string_view fields :
       {R"("priority":1)", R"("priority":10)", R"("max_retries":0)", R"("max_retries":100)",
        R"("timeout":1)", R"("timeout":1800)", R"("delay":0)", R"("run_at":"1999-01-01T00:00:00Z")",
        R"("payload":null)", R"("tags":[])", R"("headers":{})", R"("payload":{})", R"("body":"")",
        R"("retry_policy":"none")"}) {
    const Answer answer =
        ask("POST", "/v1/tasks",
            R"({"queue":"q","webhook_url":"HTTP://A.test:80",)" + std::string(fields) + "}");
    EXPECT_EQ(answer.status, 201) << fields << answer.body;
    EXPECT_EQ(answer.text("webhook_url"), "http://a.test/");
  }
}

TEST_F(NativeTest, RunAtWinsOverDelay) {
  const Answer answer = create(R"("run_at":"2030-01-01T00:00:00Z")");
  EXPECT_EQ(answer.text("next_attempt_at"), "2030-01-01T00:00:00Z");
  EXPECT_EQ(ask("GET", "/v1/tasks/" + answer.text("id")).text("next_attempt_at"),
            "2030-01-01T00:00:00Z");
}

TEST_F(NativeTest, TakesDefaultsFromTheQueue) {
  admin_.script(
      "INSERT INTO postern.queue (tenant, name, max_retries, max_tries, retry_policy, timeout_ms) "
      "VALUES ('default', 'slow', 9, 5, 'linear', 90000)");
  const Answer plain = create("", "slow");
  EXPECT_EQ(plain.text("max_retries"), "4");  // capped by max_tries
  EXPECT_EQ(plain.text("retry_policy"), "linear");
  EXPECT_EQ(plain.text("timeout"), "90");
  const Answer own = create(R"("max_retries":2,"retry_policy":"fixed","timeout":5)", "slow");
  EXPECT_EQ(own.text("max_retries"), "2");
  EXPECT_EQ(own.text("retry_policy"), "fixed");
  EXPECT_EQ(own.text("timeout"), "5");
}

TEST_F(NativeTest, MakesQueuesOnFirstUseUnlessTold) {
  ASSERT_EQ(create("", "fresh").status, 201);
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue WHERE name = 'fresh'"), 1);
  start({.auto_create_queues = false});
  EXPECT_EQ(create("", "fresh").status, 201);
  const Answer refused = create("", "other");
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.reason(), "queue_not_found");
  EXPECT_EQ(refused.field(), "queue");
  EXPECT_EQ(count("SELECT count(*) FROM postern.queue"), 1);
}

TEST_F(NativeTest, CountsWhatItCreates) {
  for (int i = 0; i < 3; ++i) create();
  // In a queue that is not listed.
  ask("POST", "/v1/tasks", R"({"targetUrl":"http://a.test/"})");
  EXPECT_EQ(ask("GET", "/v1/queues").json().at("queues").as_array().size(), 1U);
  const Answer info = ask("GET", "/v1/info");
  EXPECT_EQ(info.text("task_count"), "4");
  EXPECT_EQ(info.text("queue_count"), "1");
  EXPECT_EQ(info.text("auth"), "none");
}

TEST_F(NativeTest, ListsNewestFirstPageByPage) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(create(i % 2 == 0 ? R"("tags":["even"])" : "").text("id"));
  }
  create("", "other");
  Answer page = ask("GET", "/v1/tasks?queue=q&status=pending&limit=2");
  EXPECT_EQ(page.text("pagination/total"), "5");
  EXPECT_EQ(page.text("pagination/hasMore"), "true");
  EXPECT_EQ(page.text("count"), "2");
  std::vector<std::string> seen;
  for (int i = 0; i < 10 && page.status == 200; ++i) {
    const auto whole = page.json();
    for (const auto& task : whole.at("tasks").as_array())
      seen.emplace_back(task.at("id").as_string());
    if (page.text("pagination/hasMore") == "false") break;
    page = ask("GET", "/v1/tasks?queue=q&limit=2&cursor=" + page.text("pagination/next_cursor"));
  }
  EXPECT_EQ(seen, std::vector<std::string>(ids.rbegin(), ids.rend()));
  EXPECT_EQ(ask("GET", "/v1/tasks?queue=q&offset=4").text("tasks/0/id"), ids[0]);
  EXPECT_EQ(ask("GET", "/v1/tasks?tag=even").text("count"), "3");
  EXPECT_EQ(ask("GET", "/v1/tasks?status=active").text("count"), "0");
  EXPECT_EQ(ask("GET", "/v1/tasks?created_since=2100-01-01").text("count"), "0");
  EXPECT_EQ(ask("GET", "/v1/tasks?created_until=2100-01-01").text("count"), "6");
  EXPECT_EQ(
      ask("GET", "/v1/tasks?queue=none").body,
      R"({"tasks":[],"count":0,"pagination":{"total":0,"limit":20,"offset":0,"hasMore":false}})");
  EXPECT_EQ(ask("GET", "/v1/tasks?limit=101").reason(), "limit_invalid");
}

TEST_F(NativeTest, LeavesLargeBodiesOutOfLists) {
  create(R"("payload":{"x":")" + std::string(20'000, 'x') + "\"}");
  const Answer page = ask("GET", "/v1/tasks");
  EXPECT_EQ(page.text("tasks/0/payload_omitted"), "true");
  EXPECT_LT(page.body.size(), 2'000u);
}

TEST_F(NativeTest, CancelsWhatHasNotBegun) {
  const std::string path = "/v1/tasks/" + create().text("id");
  const Answer cancelled = ask("POST", path + "/cancel");
  EXPECT_EQ(cancelled.status, 200);
  EXPECT_EQ(cancelled.text("status"), "cancelled");
  EXPECT_EQ(ask("GET", path).text("status"), "cancelled");
  const Answer again = ask("POST", path + "/cancel");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.reason(), "task_already_finished");

  const std::string active = "/v1/tasks/" + ready_task("busy");
  claim_only("busy");
  EXPECT_EQ(ask("POST", active + "/cancel").reason(), "task_already_active");
  EXPECT_EQ(ask("GET", active).text("status"), "active");
}

TEST_F(NativeTest, DeletesWhatHasNotBegun) {
  const std::string path = "/v1/tasks/" + create().text("id");
  const Answer deleted = ask("DELETE", path);
  EXPECT_EQ(deleted.status, 204);
  EXPECT_EQ(deleted.body, "");
  EXPECT_EQ(ask("GET", path).status, 404);
  EXPECT_EQ(ask("DELETE", path).status, 404);

  const std::string active = "/v1/tasks/" + ready_task("busy");
  claim_only("busy");
  EXPECT_EQ(ask("DELETE", active).status, 409);
  const std::string done = "/v1/tasks/" + ready_task("done");
  finish("done", State::completed, Reason::none);
  EXPECT_EQ(ask("DELETE", done).reason(), "task_already_finished");
}

TEST_F(NativeTest, ShowsAndRetriesWhatIsFinished) {
  const std::string path = "/v1/tasks/" + ready_task("work");
  EXPECT_EQ(ask("POST", path + "/retry").reason(), "task_not_finished");
  finish("work", State::failed, Reason::exhausted);
  const Answer failed = ask("GET", path);
  EXPECT_EQ(failed.text("status"), "failed");
  EXPECT_EQ(failed.text("reason"), "exhausted");
  EXPECT_EQ(failed.text("attempt_count"), "1");
  EXPECT_EQ(failed.text("attempts/0/number"), "1");
  EXPECT_EQ(failed.text("attempts/0/executed_at").size(), 20u);
  EXPECT_EQ(failed.text("result/response_code"), "200");
  EXPECT_EQ(failed.text("result/headers/x-a"), "1");
  EXPECT_EQ(failed.text("result/body"), "done");
  EXPECT_EQ(failed.text("completed_at").size(), 20u);
  EXPECT_EQ(ask("GET", "/v1/tasks?status=failed").text("count"), "1");

  const Answer retried = ask("POST", path + "/retry");
  EXPECT_EQ(retried.status, 200);
  EXPECT_EQ(retried.text("status"), "pending");
  EXPECT_EQ(retried.text("attempt_count"), "1");
  EXPECT_EQ(retried.text("attempts/0/number"), "1");
  finish("work", State::completed, Reason::none);
  EXPECT_EQ(ask("GET", path).text("attempts/1/number"), "2");
  EXPECT_EQ(ask("POST", path + "/retry").status, 200);
}

TEST_F(NativeTest, KnowsNoOtherTasks) {
  for (const std::string id :
       {"task_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057", "retry",
        "task_x", "'; DROP TABLE task; --", "%00", "0"}) {
    for (const auto& [method, rest] :
         {std::pair{"GET", ""}, {"DELETE", ""}, {"POST", "/cancel"}, {"POST", "/retry"}}) {
      HttpRequest asked = request(method, "/v1/tasks/" + id + rest);
      asked.dialect = "native";  // else the spelling tells who speaks
      const Answer answer = ask(asked);
      EXPECT_EQ(answer.status, 404) << id << rest;
      EXPECT_EQ(answer.reason(), "task_not_found") << id << rest;
    }
  }
}

TEST_F(NativeTest, KnowsItsPathsAndMethods) {
  const Answer nowhere = ask("GET", "/v1/nothing");
  EXPECT_EQ(nowhere.status, 404);
  EXPECT_EQ(nowhere.text("error/code"), "not_found");
  const Answer wrong = ask("PUT", "/v1/tasks");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.text("error/code"), "invalid_argument");
  EXPECT_EQ(wrong.reason(), "method_not_allowed");
  EXPECT_EQ(wrong.headers.at("Allow"), "POST, GET, HEAD");
  EXPECT_EQ(ask("GET", "/v1//tasks").status, 400);
  EXPECT_EQ(ask("GET", "/v1/tasks/").status, 404);
  HttpRequest large = request("POST", "/v1/tasks");
  large.body_too_large = true;
  EXPECT_EQ(ask(large).status, 413);
  EXPECT_EQ(ask(large).text("error/code"), "payload_too_large");
}

TEST_F(NativeTest, KeepsAValidTraceparent) {
  HttpRequest post =
      request("POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://a.test/"})");
  post.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  ask(post);
  post.traceparent = "nonsense";
  EXPECT_EQ(ask(post).status, 201);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE traceparent LIKE '00-0af%'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE traceparent IS NULL"), 1);
}

}  // namespace
}  // namespace postern::test
