// What happened: GET /v1/stats/series and GET /v1/failures, and lists by reason.
#include <fmt/format.h>

#include "db/catalog/endpoints.h"
#include "tests/fcgi/wire.h"
#include "tests/support/edges.h"

namespace postern::test {
namespace {

class NumbersTest : public WireTest {
 protected:
  NumbersTest() {
    // What is so many minutes ago is another minute once this one is over.
    await_time_before_edge(admin_, Seconds{60});
    admin_.script("INSERT INTO postern.tenant (name) VALUES ('other')");
    for (const char* queue : {"busy", "calm"}) {
      ask("POST", "/v1/queues", fmt::format(R"({{"name":"{}"}})", queue));
    }
    for (const char* name : {"mail", "sms", "unused"}) {
      ask("POST", "/v1/endpoints",
          fmt::format(R"({{"name":"{}","url":"http://receiver.test/"}})", name));
    }
  }

  // So many minutes before the last whole one.
  static std::string minute(int ago) {
    return fmt::format("date_trunc('minute', now()) - {} * interval '1 minute'", ago + 1);
  }
  void counted(int from, int to) {
    for (int ago = from; ago <= to; ++ago) {
      admin_.script("INSERT INTO postern.counted_minute SELECT " + minute(ago));
    }
  }
  void row(const std::string& queue, int ago, int created, bool left_out = false,
           const std::string& tenant = "default") {
    admin_.script(fmt::format(
        "INSERT INTO postern.queue_minute SELECT {}, '{}', '{}', {}, 2, 3, 4, 5, 1, 1, {}",
        minute(ago), tenant, queue, created, left_out));
  }
  void attempts(const std::string& endpoint, int ago, int count, std::size_t bucket,
                const std::string& tenant = "default") {
    db::EndpointMinute told{
        tenant, endpoint,
        std::chrono::floor<std::chrono::minutes>(
            std::chrono::floor<Microseconds>(std::chrono::system_clock::now())) -
            std::chrono::minutes{ago + 1}};
    told.attempts = count;
    told.failed = 1;
    told.durations[bucket] = count;
    admin_.exec(db::kAddEndpointMinutes,
                db::endpoint_minutes_params(random_uuid(), std::span(&told, 1)));
  }
  Answer series(const std::string& query = "") {
    return ask("GET", "/v1/stats/series" + (query.empty() ? "" : "?" + query));
  }
  static std::string told(const Answer& answer) {
    return fmt::format("{} {} {}", answer.status, answer.reason(), answer.field());
  }
};

TEST_F(NumbersTest, TheSeriesOfATenant) {
  counted(0, 2);
  row("", 1, 7);
  row("", 4, 9);  // of which not all was counted
  row("", 1, 1000, false, "other");
  attempts("/all", 1, 4, 3);
  attempts("/all", 1, 4, 3);
  attempts("mail", 1, 4, 9);
  const Answer answer = series("minutes=5");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("step_seconds"), "60");
  EXPECT_EQ(answer.text("minutes"), "5");
  EXPECT_EQ(answer.at("series").as_array().size(), 1u);
  EXPECT_EQ(answer.text("series/0/queue"), "null");
  EXPECT_EQ(answer.text("series/0/endpoint"), "null");
  EXPECT_EQ(answer.text("series/0/created"), "[null,null,0,7,0]");
  EXPECT_EQ(answer.text("series/0/completed"), "[null,null,0,2,0]");
  EXPECT_EQ(answer.text("series/0/failed"), "[null,null,0,3,0]");
  EXPECT_EQ(answer.text("series/0/cancelled"), "[null,null,0,4,0]");
  EXPECT_EQ(answer.text("series/0/attempts"), "[null,null,0,5,0]");
  EXPECT_EQ(answer.text("series/0/attempts_failed"), "[null,null,0,1,0]");
  EXPECT_EQ(answer.text("series/0/p95_ms"), "[null,null,null,49,null]");
  const auto since = admin_.exec({"", ("SELECT " + minute(4)).c_str()}).time(0, 0);
  EXPECT_EQ(answer.text("since"), format_rfc3339(since));

  EXPECT_EQ(series().at("series").as_array()[0].at("created").as_array().size(), 60u);
  HttpRequest other = request("GET", "/v1/stats/series?minutes=3");
  other.key_tenant = "other";
  EXPECT_EQ(ask(other).text("series/0/created"), "[0,1000,0]");
}

TEST_F(NumbersTest, TheSeriesOfAQueue) {
  counted(0, 3);
  row("busy", 0, 5);
  row("busy", 4, 9);
  row("", 2, 9, true);  // of which some queues were left out
  const Answer answer = series("queue=busy&minutes=5");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("series/0/queue"), "busy");
  EXPECT_EQ(answer.text("series/0/created"), "[null,0,null,0,5]");
  EXPECT_EQ(answer.text("series/0/p95_ms"), "[null,null,null,null,null]");
  EXPECT_EQ(series("queue=calm&minutes=2").text("series/0/created"), "[0,0]");
}

TEST_F(NumbersTest, TheSeriesOfAnEndpoint) {
  counted(0, 1);
  attempts("mail", 0, 10, 3);
  attempts("mail", 0, 10, 3);
  attempts("mail", 2, 10, 3);
  const Answer answer = series("endpoint=mail&minutes=4");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("series/0/endpoint"), "mail");
  EXPECT_EQ(answer.text("series/0/queue"), "null");
  EXPECT_EQ(answer.text("series/0/created"), "[null,null,null,null]");
  EXPECT_EQ(answer.text("series/0/attempts"), "[null,10,0,20]");
  EXPECT_EQ(answer.text("series/0/attempts_failed"), "[null,1,0,2]");
  EXPECT_EQ(answer.text("series/0/p95_ms"), "[null,49,null,49]");
}

TEST_F(NumbersTest, TheBusiestComeFirst) {
  counted(0, 4);
  row("calm", 0, 1);
  row("busy", 1, 50);
  row("", 0, 51);
  row("busy", 0, 1000, false, "other");
  const Answer queues = series("by=queue&minutes=2");
  ASSERT_EQ(queues.at("series").as_array().size(), 2u) << queues.body;
  EXPECT_EQ(queues.text("series/0/queue"), "busy");
  EXPECT_EQ(queues.text("series/0/created"), "[50,0]");
  EXPECT_EQ(queues.text("series/1/queue"), "calm");
  EXPECT_EQ(series("by=queue&limit=1").at("series").as_array().size(), 1u);

  attempts("mail", 0, 1, 3);
  attempts("sms", 1, 2, 3);
  attempts("/all", 1, 3, 3);
  attempts("sms", 3, 2, 3);
  ask("POST", "/v1/endpoints", R"({"name":"*","url":"http://receiver.test/"})");
  attempts("", 4, 2, 3);
  EXPECT_EQ(series("endpoint=*&minutes=5").text("series/0/attempts"), "[2,0,0,0,0]");
  EXPECT_EQ(series("endpoint=*").text("series/0/endpoint"), "*");
  EXPECT_EQ(series("by=endpoint&minutes=5").text("series/1/endpoint"), "*");
  const Answer endpoints = series("by=endpoint&minutes=2");
  ASSERT_EQ(endpoints.at("series").as_array().size(), 2u) << endpoints.body;
  EXPECT_EQ(endpoints.text("series/0/endpoint"), "sms");
  EXPECT_EQ(endpoints.text("series/0/attempts"), "[2,0]");
  EXPECT_EQ(endpoints.text("series/1/endpoint"), "mail");
}

TEST_F(NumbersTest, SeriesRefuseWhatIsWrong) {
  EXPECT_EQ(told(series("queue=none")), "404 queue_not_found null");
  EXPECT_EQ(told(series("endpoint=none")), "404 endpoint_not_found null");
  EXPECT_EQ(told(series("endpoint=*")), "404 endpoint_not_found null") << "there is no catch-all";
  EXPECT_EQ(told(series("endpoint=/all")), "400 endpoint_name_invalid endpoint");
  EXPECT_EQ(told(series("queue=busy&endpoint=mail")), "400 scope_invalid by");
  EXPECT_EQ(told(series("queue=busy&by=queue")), "400 scope_invalid by");
  EXPECT_EQ(told(series("by=tenant")), "400 scope_invalid by");
  EXPECT_EQ(told(series("minutes=0")), "400 minutes_invalid minutes");
  EXPECT_EQ(told(series("minutes=181")), "400 minutes_invalid minutes");
  EXPECT_EQ(told(series("by=queue&limit=101")), "400 limit_invalid limit");
  EXPECT_EQ(series("minutes=180").status, 200);
  HttpRequest other = request("GET", "/v1/stats/series?queue=busy");
  other.key_tenant = "other";
  EXPECT_EQ(told(ask(other)), "404 queue_not_found null");
}

TEST_F(NumbersTest, WhoMayReadSeesThem) {
  for (const char* path : {"/v1/stats/series", "/v1/failures"}) {
    HttpRequest asked = request("GET", path);
    asked.role = "read";
    EXPECT_EQ(ask(asked).status, 200) << path;
    asked.verdict = Verdict::missing;
    EXPECT_EQ(ask(asked).status, 401) << path;
  }
}

// Tasks that ended, and what is asked about them.
class EndsTest : public NumbersTest {
 protected:
  // Returns its id.
  std::string ended(const std::string& queue, const std::string& state, const std::string& reason) {
    const std::string id = create("", queue).text("id");
    admin_.script(fmt::format(
        "SELECT postern.finish(t, t.id, '{}', '{}', 'why') FROM postern.task t WHERE id = '{}'",
        state, reason, to_uuid(*parse_task_id(id))));
    return id;
  }
};

TEST_F(EndsTest, FailuresAreToldInGroups) {
  ended("busy", "failed", "exhausted");
  const std::string last = ended("busy", "failed", "exhausted");
  ended("calm", "failed", "gone");
  ended("calm", "completed", "");
  const Answer answer = ask("GET", "/v1/failures");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("looked"), "3");
  EXPECT_EQ(answer.text("complete"), "true");
  EXPECT_EQ(answer.at("groups").as_array().size(), 2u);
  EXPECT_EQ(answer.text("groups/0/reason"), "exhausted");
  EXPECT_EQ(answer.text("groups/0/queue"), "busy");
  EXPECT_EQ(answer.text("groups/0/endpoint"), "null");
  EXPECT_EQ(answer.text("groups/0/host"), "receiver.test");
  EXPECT_EQ(answer.text("groups/0/count"), "2");
  EXPECT_EQ(answer.text("groups/0/last_error"), "why");
  EXPECT_EQ(answer.text("groups/0/last_task"), last);
  EXPECT_EQ(answer.text("groups/0/last_at"), ask("GET", "/v1/tasks/" + last).text("completed_at"));

  EXPECT_EQ(ask("GET", "/v1/failures?reason=gone&queue=calm").text("groups/0/count"), "1");
  EXPECT_EQ(ask("GET", "/v1/failures?created_until=2020-01-01").text("groups"), "[]");
  EXPECT_EQ(ask("GET", "/v1/failures?endpoint=mail").text("groups"), "[]");
  EXPECT_EQ(told(ask("GET", "/v1/failures?reason=none")), "400 reason_invalid reason");
  EXPECT_EQ(told(ask("GET", "/v1/failures?queue=a%20b")), "400 queue_name_invalid queue");
  EXPECT_EQ(told(ask("GET", "/v1/failures?created_since=soon")), "400 time_invalid created_since");
  HttpRequest other = request("GET", "/v1/failures");
  other.key_tenant = "other";
  EXPECT_EQ(ask(other).body, R"({"groups":[],"looked":0,"complete":true})");
}

TEST_F(EndsTest, TasksAreListedByReason) {
  ended("busy", "failed", "exhausted");
  const std::string gone = ended("calm", "failed", "gone");
  ended("calm", "cancelled", "cancelled");
  create();
  const Answer page = ask("GET", "/v1/tasks?reason=gone");
  ASSERT_EQ(page.status, 200) << page.body;
  EXPECT_EQ(page.text("tasks/0/id"), gone);
  EXPECT_EQ(page.text("pagination/total"), "1");
  EXPECT_EQ(ask("GET", "/v1/tasks?reason=cancelled").text("pagination/total"), "1");
  EXPECT_EQ(ask("GET", "/v1/tasks?reason=gone&status=cancelled").text("pagination/total"), "0");
  EXPECT_EQ(ask("GET", "/v1/tasks?reason=gone&queue=busy").text("pagination/total"), "0");
  EXPECT_EQ(told(ask("GET", "/v1/tasks?reason=")), "400 reason_invalid reason");
  EXPECT_EQ(told(ask("GET", "/v1/tasks?reason=Gone")), "400 reason_invalid reason");
  const Answer stream = ask("GET", "/v1/tasks?reason=gone&stream=ndjson");
  EXPECT_NE(stream.body.find(gone), std::string::npos);
}

TEST_F(EndsTest, TasksAreRetriedByReason) {
  const std::string exhausted = ended("busy", "failed", "exhausted");
  const std::string gone = ended("calm", "failed", "gone");
  const std::string purged = ended("calm", "cancelled", "queue_purged");
  const auto retry = [&](const std::string& filter, const char* more = "") {
    return ask("POST", "/v1/tasks/retry", R"({"filter":{)" + filter + "}" + more + "}");
  };
  EXPECT_EQ(retry(R"("reason":"gone")", R"(,"dry_run":true)").body,
            R"({"count":1,"dry_run":true})");
  EXPECT_EQ(retry(R"("reason":"gone")").body, R"({"count":1})");
  EXPECT_EQ(retry(R"("reason":"queue_purged")").body, R"({"count":1})")
      << "whatever ended for it, without a status";
  EXPECT_EQ(ask("GET", "/v1/tasks/" + gone).text("status"), "pending");
  EXPECT_EQ(ask("GET", "/v1/tasks/" + purged).text("status"), "pending");
  EXPECT_EQ(ask("GET", "/v1/tasks/" + exhausted).text("status"), "failed");
  EXPECT_EQ(told(retry(R"("reason":"none")")), "400 reason_invalid filter.reason");
  EXPECT_EQ(told(ask("POST", "/v1/tasks/cancel", R"({"filter":{"reason":"gone"}})")),
            "400 reason_invalid filter.reason");
}

TEST_F(EndsTest, ATaskTellsTheScheduleItCameFrom) {
  ask("POST", "/v1/schedules",
      R"({"name":"nightly","queue":"busy","webhook_url":"http://receiver.test/","schedule":"@yearly"})");
  const Answer run = ask("POST", "/v1/schedules/nightly/trigger");
  const std::string path = "/v1/tasks/" + run.text("task_id");
  EXPECT_EQ(ask("GET", path).text("schedule/name"), "nightly");
  EXPECT_EQ(ask("GET", path).text("schedule/nominal_time"), run.text("nominal_time"));
  EXPECT_EQ(ask("POST", path + "/cancel").text("schedule/name"), "nightly");
  EXPECT_EQ(ask("GET", path).text("schedule/name"), "nightly") << "also once it is over";
  EXPECT_EQ(ask("GET", "/v1/tasks").text("tasks/0/schedule"), "null") << "not in lists";
  EXPECT_EQ(ask("GET", "/v1/tasks/" + create().text("id")).text("schedule"), "null");
  admin_.script("UPDATE postern.schedule_run SET tenant = 'other'");
  EXPECT_EQ(ask("GET", path).text("schedule"), "null") << "of another tenant nothing is told";
}

}  // namespace
}  // namespace postern::test
