// /v1/schedules over the wire, in its native form and in asyncjobs's.
#include <fmt/format.h>

#include "core/wire/schedule_json.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class SchedulesTest : public WireTest {
 protected:
  // With these members beside a name, a queue and a target.
  static std::string body(const std::string& members, const std::string& name = "s") {
    return R"({"name":")" + name + R"(","queue":"q","webhook_url":"http://receiver.test/",)" +
           members + "}";
  }
  Answer make(const std::string& members = R"("schedule":"0 0 1 1 *")",
              const std::string& name = "s") {
    return ask("POST", "/v1/schedules", body(members, name));
  }
  static std::string told(const Answer& answer) {
    return fmt::format("{} {} {}", answer.status, answer.reason(), answer.field());
  }
};

TEST_F(SchedulesTest, TheExampleOfAsyncjobs) {
  const Answer made = ask("POST", "/v1/schedules", R"({
      "name": "daily-report", "schedule": "@every 1h", "queue": "REPORTS", "task_type": "report:daily",
      "payload": {"kind": "full"}, "deadline_offset": "5m"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.text("name"), "daily-report");
  EXPECT_EQ(made.text("schedule"), "@every 1h");
  EXPECT_EQ(made.text("queue"), "REPORTS");
  EXPECT_EQ(made.text("task_type"), "report:daily");
  EXPECT_EQ(made.text("payload"), "eyJraW5kIjogImZ1bGwifQ==");
  EXPECT_EQ(made.text("deadline"), "300000000000");
  EXPECT_EQ(made.text("max_tries"), "10");
  EXPECT_EQ(made.text("misfire"), "skip");
  EXPECT_EQ(made.text("endpoint"), "null");
  EXPECT_EQ(ask("GET", "/v1/schedules/daily-report").json(), made.json());
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule WHERE dialect = 'asyncjobs'"), 1);

  const Answer any = ask("POST", "/v1/schedules",
                         R"({"name":"x","schedule":"@daily","queue":"q","task_type":"t",)"
                         R"("payload":[1],"max_tries":3})");
  EXPECT_EQ(any.text("payload"), "WzFd");
  EXPECT_EQ(any.text("max_tries"), "3");
  EXPECT_EQ(any.text("deadline"), "null");
}

TEST_F(SchedulesTest, CreatesReadsAndListsWhatWasAsked) {
  HttpRequest post = request("POST", "/v1/schedules", R"({
      "name": "a", "schedule": "0 8 * * 1-5", "timezone": "Europe/Berlin", "queue": "q",
      "webhook_url": "http://receiver.test/", "method": "PUT", "headers": {"X-A": "1"},
      "payload": {"n": 1.0}, "priority": 8, "max_retries": 2, "retry_policy": "fixed", "timeout": 60,
      "tags": ["t"], "key": "k", "on_complete_url": "http://receiver.test/done",
      "on_failure_url": "http://receiver.test/failed", "misfire": "all", "misfire_limit": 3,
      "misfire_window_seconds": 60, "overlap": "skip", "starts_at": "2026-01-01T00:00:00Z",
      "ends_at": "2099-01-01T00:00:00Z", "jitter_seconds": 5, "deadline_offset": "1h", "paused": true})");
  post.base_path = "/queue";
  const Answer made = ask(post);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.headers.at("Location"), "/queue/v1/schedules/a");
  const auto asked = boost::json::parse(post.body).as_object();
  for (const auto& [key, value] : asked) {
    if (key == "deadline_offset") continue;
    EXPECT_EQ(made.at(std::string(key)), value) << key;
  }
  EXPECT_NE(made.body.find(R"("payload":{"n": 1.0})"), std::string::npos);
  EXPECT_EQ(made.text("deadline"), "3600000000000");
  EXPECT_EQ(made.text("max_tries"), "3");
  EXPECT_EQ(made.text("next_at"), "null") << "it is paused";

  make(R"("interval_seconds":90,"body":"text","content_type":"text/plain")", "b");
  const Answer b = ask("GET", "/v1/schedules/b");
  EXPECT_EQ(b.text("schedule"), "@every 90s");
  EXPECT_EQ(b.text("interval_seconds"), "90");
  EXPECT_EQ(b.text("body"), "text");
  EXPECT_EQ(b.text("content_type"), "text/plain");
  EXPECT_EQ(b.text("timezone"), "UTC");
  make(R"("schedule":"TZ=Asia/Tokyo @daily","payload_base64":"AP8=")", "c");
  EXPECT_EQ(ask("GET", "/v1/schedules/c").text("timezone"), "Asia/Tokyo");
  EXPECT_EQ(ask("GET", "/v1/schedules/c").text("payload_base64"), "AP8=");

  const Answer page = ask("GET", "/v1/schedules?limit=2");
  EXPECT_EQ(page.at("schedules").as_array().size(), 2u);
  EXPECT_EQ(page.text("schedules/0/name"), "a");
  EXPECT_EQ(page.text("next_cursor"), "b");
  const Answer rest = ask("GET", "/v1/schedules?limit=2&cursor=b");
  EXPECT_EQ(rest.text("schedules/0/name"), "c");
  EXPECT_EQ(rest.text("next_cursor"), "null");
  EXPECT_EQ(ask("GET", "/v1/schedules?queue=none").body, R"({"schedules":[]})");
}

TEST_F(SchedulesTest, RefusesBadFields) {
  struct Case {
    const char* members;
    const char* expected;
  };
  for (const auto& [members, expected] : std::initializer_list<Case>{
           {R"("schedule":"")", "400 schedule_invalid schedule"},
           {R"("queue2":1)", "400 unknown_field queue2"},
           {R"("paused":false)", "400 schedule_invalid schedule"},
           {R"("schedule":"not a cron")", "400 schedule_invalid schedule"},
           {R"("schedule":"0 0 30 2 *")", "400 schedule_invalid schedule"},
           {R"("schedule":"* * * * 7")", "400 schedule_invalid schedule"},
           {R"("schedule":5)", "400 invalid_type schedule"},
           {R"("schedule":"@daily","interval_seconds":5)", "400 schedule_invalid interval_seconds"},
           {R"("interval_seconds":0)", "400 schedule_invalid interval_seconds"},
           {R"("interval_seconds":99999999999999999999)", "400 schedule_invalid interval_seconds"},
           {R"("interval_seconds":"1h")", "400 invalid_type interval_seconds"},
           {R"("schedule":"@daily","timezone":"Mars/Base")", "400 timezone_invalid timezone"},
           {R"("schedule":"TZ=Asia/Tokyo @daily","timezone":"UTC")",
            "400 schedule_invalid schedule"},
           {R"("schedule":"@daily","endpoint":"e")", "400 target_both_set webhook_url"},
           {R"("schedule":"@daily","task_type":"t")", "400 target_both_set task_type"},
           {R"("schedule":"@daily","payload":[1])", "400 payload_invalid payload"},
           {R"("schedule":"@daily","payload":{},"body":"x")", "400 payload_both_set payload"},
           {R"("schedule":"@daily","payload_base64":"?")",
            "400 payload_base64_invalid payload_base64"},
           {R"("schedule":"@daily","priority":11)", "400 priority_out_of_range priority"},
           {R"("schedule":"@daily","max_retries":101)", "400 max_retries_out_of_range max_retries"},
           {R"("schedule":"@daily","max_tries":0)", "400 max_tries_invalid max_tries"},
           {R"("schedule":"@daily","max_tries":102)", "400 max_tries_invalid max_tries"},
           {R"("schedule":"@daily","max_tries":2,"max_retries":1)",
            "400 max_tries_invalid max_tries"},
           {R"("schedule":"@daily","retry_policy":"x")", "400 unknown_retry_policy retry_policy"},
           {R"("schedule":"@daily","timeout":0)", "400 timeout_out_of_range timeout"},
           {R"("schedule":"@daily","key":"ü")", "400 key_invalid key"},
           {R"("schedule":"@daily","on_failure_url":"x")", "400 url_invalid on_failure_url"},
           {R"("schedule":"@daily","misfire":"never")", "400 misfire_invalid misfire"},
           {R"("schedule":"@daily","misfire_limit":0)",
            "400 misfire_limit_out_of_range misfire_limit"},
           {R"("schedule":"@daily","misfire_limit":101)",
            "400 misfire_limit_out_of_range misfire_limit"},
           {R"("schedule":"@daily","misfire_window_seconds":-1)",
            "400 misfire_window_out_of_range misfire_window_seconds"},
           {R"("schedule":"@daily","overlap":true)", "400 invalid_type overlap"},
           {R"("schedule":"@daily","overlap":"wait")", "400 overlap_invalid overlap"},
           {R"("schedule":"@daily","jitter_seconds":86401)",
            "400 jitter_out_of_range jitter_seconds"},
           {R"("schedule":"@daily","deadline_offset":"29.4s")",
            "400 schedule_invalid deadline_offset"},
           {R"("schedule":"@daily","deadline_offset":"wrong")",
            "400 invalid_duration deadline_offset"},
           {R"("schedule":"@daily","deadline_offset":60)", "400 invalid_duration deadline_offset"},
           {R"("schedule":"@daily","starts_at":"soon")", "400 time_invalid starts_at"},
           {R"("schedule":"@daily","ends_at":"2020-01-01T00:00:00Z")",
            "400 schedule_invalid ends_at"},
           {R"("schedule":"@daily","paused":"yes")", "400 invalid_type paused"},
           {R"("schedule":"@daily","delay":5)", "400 unknown_field delay"},
           {R"("schedule":"@daily","dependencies":[])", "400 unknown_field dependencies"}}) {
    EXPECT_EQ(told(make(members)), expected) << members;
  }
  for (
      const auto& [whole, expected] : std::initializer_list<Case>{
          {"", "400 invalid_json null"},
          {"[]", "400 object_required null"},
          {R"({"schedule":"@daily","queue":"q","task_type":"t"})", "400 schedule_invalid name"},
          {R"({"name":"a b","schedule":"@daily","queue":"q","task_type":"t"})",
           "400 schedule_invalid name"},
          {R"({"name":"s","schedule":"@daily","task_type":"t"})", "400 queue_name_required queue"},
          {R"({"name":"s","schedule":"@daily","queue":"a b","task_type":"t"})",
           "400 queue_name_invalid queue"},
          {R"({"name":"s","schedule":"@daily","queue":"q","task_type":"a b"})",
           "400 task_type_invalid task_type"},
          {R"({"name":"s","schedule":"@daily","queue":"q","task_type":""})",
           "400 task_type_invalid task_type"},
          {R"({"name":"s","schedule":"@daily","queue":"q","type":"a b"})",
           "400 task_type_invalid type"},
          {R"({"name":"s","schedule":"@daily","queue":"q","type":"a","task_type":"a"})",
           "400 target_both_set task_type"},
          {R"({"name":"s","schedule":"@daily","queue":"q"})", "400 url_required webhook_url"},
          {R"({"name":"s","schedule":"@daily","queue":"q","endpoint":"e"})",
           "404 endpoint_not_found endpoint"},
          {R"({"name":"s","schedule":"@daily","queue":"q","task_type":"t","payload":1,"payload_base64":"eA=="})",
           "400 payload_both_set payload"}}) {
    EXPECT_EQ(told(ask("POST", "/v1/schedules", whole)), expected) << whole;
  }
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule"), 0);
}

TEST_F(SchedulesTest, RefusesBadParameters) {
  make();
  for (const auto& [path, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"?limit=0", "400 limit_invalid limit"},
           {"?limit=1001", "400 limit_invalid limit"},
           {"?cursor=a%20b", "400 cursor_invalid cursor"},
           {"?queue=a%20b", "400 queue_name_invalid queue"},
           {"/s/next?n=0", "400 n_invalid n"},
           {"/s/next?n=101", "400 n_invalid n"},
           {"/s/next?n=x", "400 n_invalid n"},
           {"/s/runs?limit=101", "400 limit_invalid limit"},
           {"/s/runs?cursor=yesterday", "400 cursor_invalid cursor"}}) {
    EXPECT_EQ(told(ask("GET", std::string("/v1/schedules") + path)), expected) << path;
  }
}

TEST_F(SchedulesTest, WhatIsNotThereIsNotFoundByAnyRoute) {
  for (const auto& [method, path] :
       std::initializer_list<std::pair<const char*, const char*>>{{"GET", ""},
                                                                  {"PATCH", ""},
                                                                  {"DELETE", ""},
                                                                  {"POST", "/pause"},
                                                                  {"POST", "/resume"},
                                                                  {"POST", "/trigger"},
                                                                  {"GET", "/next"},
                                                                  {"GET", "/runs"}}) {
    EXPECT_EQ(told(ask(method, std::string("/v1/schedules/none") + path, "{}")),
              "404 schedule_not_found null")
        << method << path;
  }
}

TEST_F(SchedulesTest, AnotherTenantsIsNotThere) {
  admin_.script("INSERT INTO postern.tenant VALUES ('other')");
  make();
  HttpRequest get = request("GET", "/v1/schedules/s");
  get.key_tenant = "other";
  EXPECT_EQ(told(ask(get)), "404 schedule_not_found null");
  get.path = "/v1/schedules";
  EXPECT_EQ(ask(get).body, R"({"schedules":[]})");
}

TEST_F(SchedulesTest, ANameIsTakenOnce) {
  EXPECT_EQ(make().status, 201);
  const Answer again = make();
  EXPECT_EQ(told(again), "409 schedule_already_exists name");
  EXPECT_EQ(again.text("error/code"), "duplicate");
}

TEST_F(SchedulesTest, PutMakesItOrReplacesAllOfIt) {
  const auto put = [this](const std::string& members) {
    return ask("PUT", "/v1/schedules/s",
               R"({"queue":"q","webhook_url":"http://receiver.test/",)" + members + "}");
  };
  const Answer made = put(R"("schedule":"@yearly","tags":["a"],"misfire":"all")");
  EXPECT_EQ(made.status, 201);
  const Answer replaced = put(R"("schedule":"0 0 2 * *")");
  EXPECT_EQ(replaced.status, 200);
  EXPECT_EQ(replaced.text("schedule"), "0 0 2 * *");
  EXPECT_EQ(replaced.text("tags"), "null");
  EXPECT_EQ(replaced.text("misfire"), "last");
  EXPECT_EQ(replaced.text("created_at"), made.text("created_at"));
  EXPECT_NE(replaced.text("next_at"), made.text("next_at"));

  // Paused it stays until it says otherwise.
  ask("POST", "/v1/schedules/s/pause");
  EXPECT_EQ(put(R"("schedule":"0 0 2 * *")").text("paused"), "true");
  EXPECT_EQ(put(R"("schedule":"0 0 2 * *","paused":false)").text("paused"), "false");

  EXPECT_EQ(told(put(R"("schedule":"0 0 2 * *","name":"t")")), "400 schedule_invalid name");
  EXPECT_EQ(told(put(R"("schedule":"x")")), "400 schedule_invalid schedule");
  EXPECT_EQ(ask("GET", "/v1/schedules/s").text("schedule"), "0 0 2 * *");
}

TEST_F(SchedulesTest, PutOfTheSameKeepsWhatIsDue) {
  make(R"("schedule":"* * * * *")");
  admin_.script("UPDATE postern.schedule SET next_at = '2026-01-01 12:00Z'");
  ask("PUT", "/v1/schedules/s", body(R"("schedule":"* * * * *","payload":{})"));
  EXPECT_EQ(ask("GET", "/v1/schedules/s").text("next_at"), "2026-01-01T12:00:00Z");
}

TEST_F(SchedulesTest, PatchChangesWhatIsGivenAlone) {
  make(R"("schedule":"30 0 1 1 *","payload":{"a":1},"tags":["a"],"max_retries":2)");
  const auto patch = [this](const std::string& body) {
    return ask("PATCH", "/v1/schedules/s", body);
  };
  const Answer before = ask("GET", "/v1/schedules/s");
  const Answer tagged = patch(R"({"tags":["b"]})");
  EXPECT_EQ(tagged.status, 200);
  EXPECT_EQ(tagged.text("tags"), R"(["b"])");
  EXPECT_EQ(tagged.at("payload"), before.at("payload"));
  EXPECT_EQ(tagged.text("next_at"), before.text("next_at"));

  EXPECT_NE(patch(R"({"schedule":"@hourly"})").text("next_at"), before.text("next_at"));
  const Answer interval = patch(R"({"interval_seconds":60})");
  EXPECT_EQ(interval.text("schedule"), "@every 60s");
  const Answer berlin = patch(R"({"schedule":"CRON_TZ=Europe/Berlin 0 8 1 1 *"})");
  EXPECT_EQ(berlin.text("timezone"), "Europe/Berlin");
  EXPECT_EQ(berlin.text("interval_seconds"), "null");
  EXPECT_TRUE(berlin.text("next_at").ends_with("-01-01T07:00:00Z"));

  EXPECT_EQ(patch(R"({"body":"x"})").text("payload"), "null");
  const Answer typed = patch(R"({"task_type":"t"})");
  EXPECT_EQ(typed.text("task_type"), "t");
  EXPECT_EQ(typed.text("webhook_url"), "null");
  EXPECT_EQ(typed.text("max_retries"), "2");

  EXPECT_EQ(told(patch(R"({"schedule":"x"})")), "400 schedule_invalid schedule");
  EXPECT_EQ(told(patch(R"({"nothing":1})")), "400 unknown_field nothing");
  EXPECT_EQ(told(patch(R"({"ends_at":"2020-01-01T00:00:00Z"})")), "400 schedule_invalid ends_at");
  EXPECT_EQ(patch("{}").status, 200);
}

TEST_F(SchedulesTest, PausedItGoesOnFromNow) {
  make(R"("schedule":"* * * * *")");
  EXPECT_EQ(ask("POST", "/v1/schedules/s/pause").text("paused"), "true");
  EXPECT_EQ(ask("POST", "/v1/schedules/s/pause").status, 200);
  admin_.script("UPDATE postern.schedule SET next_at = now() - interval '1 day'");
  EXPECT_EQ(ask("GET", "/v1/schedules/s").text("next_at"), "null");
  EXPECT_EQ(ask("GET", "/v1/schedules/s/next?n=2").at("next").as_array().size(), 2u);
  EXPECT_EQ(ask("POST", "/v1/schedules/s/resume").text("paused"), "false");
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule WHERE next_at > now()"), 1);
}

TEST_F(SchedulesTest, OneThatBreaksARuleByNowCanBePaused) {
  make(R"("schedule":"* * * * *")");
  admin_.script("UPDATE postern.schedule SET spec = 'nonsense'");
  EXPECT_EQ(ask("POST", "/v1/schedules/s/pause").text("paused"), "true");
  EXPECT_EQ(told(ask("POST", "/v1/schedules/s/resume")), "400 schedule_invalid schedule");
}

TEST_F(SchedulesTest, NextTellsTimesInOrder) {
  make(R"("schedule":"30 2 31 3 *","timezone":"Europe/Berlin","starts_at":"2030-01-01T00:00:00Z")");
  // On 31 March 2030 clocks jump over 02:30.
  EXPECT_EQ(ask("GET", "/v1/schedules/s/next?n=2").body,
            R"({"next":["2030-03-31T01:00:00Z","2031-03-31T00:30:00Z"]})");
  EXPECT_EQ(ask("GET", "/v1/schedules/s/next").at("next").as_array().size(), 10u);
}

TEST_F(SchedulesTest, TriggeredItMakesItsTaskAtOnceAndRecordsTheRun) {
  make(R"("schedule":"@yearly","payload":{"a":1},"paused":true,"jitter_seconds":60)");
  const Answer run = ask("POST", "/v1/schedules/s/trigger");
  ASSERT_EQ(run.status, 201) << run.body;
  EXPECT_EQ(run.headers.at("Location"), "/v1/tasks/" + run.text("task_id"));
  const Answer task = ask("GET", "/v1/tasks/" + run.text("task_id"));
  EXPECT_EQ(task.text("status"), "pending");
  EXPECT_EQ(task.text("payload"), R"({"a":1})");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE state = 'ready'"), 1);
  ask("POST", "/v1/schedules/s/trigger");

  const Answer page = ask("GET", "/v1/schedules/s/runs?limit=1");
  EXPECT_EQ(page.at("runs").as_array().size(), 1u);
  EXPECT_NE(page.text("runs/0/task_id"), run.text("task_id")) << "newest first";
  const Answer rest = ask("GET", "/v1/schedules/s/runs?limit=1&cursor=" + page.text("next_cursor"));
  EXPECT_EQ(rest.text("runs/0/task_id"), run.text("task_id"));
  EXPECT_EQ(rest.text("next_cursor"), "null");
}

TEST_F(SchedulesTest, TriggeredForAFullQueueItSaysSo) {
  admin_.script("INSERT INTO postern.queue (tenant, name, max_entries) VALUES ('default', 'q', 1)");
  make();
  EXPECT_EQ(ask("POST", "/v1/schedules/s/trigger").status, 201);
  EXPECT_EQ(told(ask("POST", "/v1/schedules/s/trigger")), "409 queue_full null");
  EXPECT_EQ(ask("GET", "/v1/schedules/s/runs").at("runs").as_array().size(), 1u);
}

TEST_F(SchedulesTest, DeletedItIsGoneWithItsRuns) {
  make();
  ask("POST", "/v1/schedules/s/trigger");
  EXPECT_EQ(ask("DELETE", "/v1/schedules/s").status, 204);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule_run"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1) << "what it made stays";
  EXPECT_EQ(make().status, 201);
}

TEST_F(SchedulesTest, ReadersReadAndOnlyAdminsChange) {
  make();
  for (const auto& [method, path, status] :
       std::initializer_list<std::tuple<const char*, const char*, int>>{
           {"GET", "", 200},
           {"GET", "/s", 200},
           {"GET", "/s/next", 200},
           {"GET", "/s/runs", 200},
           {"POST", "", 403},
           {"PUT", "/s", 403},
           {"PATCH", "/s", 403},
           {"DELETE", "/s", 403},
           {"POST", "/s/pause", 403},
           {"POST", "/s/resume", 403},
           {"POST", "/s/trigger", 403}}) {
    HttpRequest reader = request(method, std::string("/v1/schedules") + path, "{}");
    reader.role = "worker";
    EXPECT_EQ(ask(reader).status, status) << method << path;
  }
}

TEST_F(SchedulesTest, TakesEveryFieldItShowsButItsOwnState) {
  ASSERT_EQ(make().status, 201);
  std::vector<std::string_view> refused;
  for (const auto& field : wire::schedule_fields()) {
    const Answer answer =
        ask("PATCH", "/v1/schedules/s", fmt::format(R"({{"{}":null}})", field.name));
    if (answer.reason() == "unknown_field") refused.push_back(field.name);
  }
  EXPECT_EQ(refused, (std::vector<std::string_view>{"created_at", "deadline", "next_at", "last_at",
                                                    "updated_at", "error"}));
}

}  // namespace
}  // namespace postern::test
