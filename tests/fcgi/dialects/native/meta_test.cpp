// The paths about the server itself: numbers of all tenants and of one, what it knows, how it is.
#include "core/model/lane.h"
#include "db/catalog/engine_pause.h"
#include "db/engine/gauges.h"
#include "db/engine/heartbeat.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class MetaTest : public WireTest {
 protected:
  bool shows(const std::string& line) {
    const std::string body = ask("GET", "/metrics").body;
    return ("\n" + body).find("\n" + line + "\n") != std::string::npos;
  }
  void add(const std::string& tenant, const std::string& queue, const std::string& name,
           std::int64_t value) {
    admin_.exec({"", "INSERT INTO postern.counter VALUES (gen_random_uuid(), $1, $2, $3, $4)"},
                db::Params().text(tenant).text(queue).text(name).int8(value));
  }
  Uuid beat(const std::string& name, const SchedulerGauges& gauges = {}) {
    const Uuid instance = random_uuid();
    admin_.exec(db::kBeat, db::beat_params(instance, name, gauges));
    return instance;
  }
};

TEST_F(MetaTest, MetricsNeedNoIdentity) {
  for (const char* path : {"/metrics", "/monitor/metrics"}) {
    HttpRequest get = request("GET", path);
    get.verdict = Verdict::missing;
    const Answer answer = ask(get);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    get.method = "HEAD";
    EXPECT_EQ(ask(get).body, "");
    EXPECT_EQ(ask(get).status, 200);
    EXPECT_EQ(ask("POST", path, "{}").status, 405);
  }
}

TEST_F(MetaTest, MetricsAddUpInstancesAndTenants) {
  for (const char* name : {"created", "finished_completed", "attempts_success"}) {
    add("a", "q", name, 2);
    add("a", "q", name, 3);
    add("b", "q", name, 10);
  }
  add("", "", "duration_3", 4);
  add("", "", "duration_3", 1);
  add("", "", "duration_ms", 250);
  add("a", "q", "schedule_missed", 6);
  for (const char* line : {
           R"(postern_tasks_created_total{tenant="a",queue="q"} 5)",
           R"(postern_tasks_created_total{tenant="b",queue="q"} 10)",
           R"(postern_attempts_total{tenant="a",queue="q",outcome="success"} 5)",
           R"(taskmq_jobs_total{status="success"} 15)",
           R"(taskmq_job_duration_seconds_bucket{le="0.025"} 0)",
           R"(taskmq_job_duration_seconds_bucket{le="0.05"} 5)",
           R"(taskmq_job_duration_seconds_sum 0.25)",
           R"(postern_schedule_missed_total 6)",
           R"(postern_metrics_truncated 0)",
       }) {
    EXPECT_TRUE(shows(line)) << line;
  }
}

TEST_F(MetaTest, TheBiggestQueuesAreShownAndTheRestIsSaid) {
  admin_.script(R"sql(
    INSERT INTO postern.counter SELECT gen_random_uuid(), 'default', 'q' || n, 'created', n FROM generate_series(1, 1005) n)sql");
  EXPECT_TRUE(shows("postern_metrics_truncated 5"));
  EXPECT_TRUE(shows(R"(postern_tasks_created_total{tenant="default",queue="q6"} 6)"));
  EXPECT_FALSE(shows(R"(postern_tasks_created_total{tenant="default",queue="q5"} 5)"));
  EXPECT_EQ(ask("GET", "/v1/stats").text("totals/created"), "505515") << "with all of them";
  EXPECT_EQ(ask("GET", "/v1/stats").text("queues_left_out"), "5");
}

TEST_F(MetaTest, DepthsAreThoseOfTheGauges) {
  create();
  EXPECT_EQ(ask("GET", "/v1/stats").text("queues/0/depth_unknown"), "true");
  auto scheduler = database_.connect("postern_scheduler");
  scheduler.exec(db::kMeasureQueues, db::measure_queues_params(Milliseconds{0}));
  EXPECT_FALSE(ask("GET", "/v1/stats").at("queues/0").as_object().contains("depth_unknown"));
  EXPECT_TRUE(shows(R"(postern_queue_depth{tenant="default",queue="q",state="delayed"} 1)"));
  EXPECT_TRUE(shows(R"(postern_queue_oldest_due_seconds{tenant="default",queue="q"} 0)"));
  const Answer stats = ask("GET", "/v1/stats");
  EXPECT_EQ(stats.text("queues/0/depth/delayed"), "1");
  admin_.script(
      "UPDATE postern.queue_gauge SET oldest_due = now() - interval '1 hour', estimated = true");
  EXPECT_GE(ask("GET", "/v1/stats").at("queues/0/oldest_due_seconds").to_number<double>(), 3600);
  EXPECT_EQ(ask("GET", "/v1/stats").text("queues/0/depth_estimated"), "true");
}

TEST_F(MetaTest, SchedulersThatFellSilentAreDown) {
  SchedulerGauges gauges;
  gauges.slots = 8;
  gauges.in_flight = 3;
  gauges.parked = 2;
  beat("alive", gauges);
  const Uuid silent = beat("silent", gauges);
  admin_.exec({"", "UPDATE postern.instance SET beat_at = now() - interval '61 s' WHERE id = $1"},
              db::Params().uuid(silent));
  EXPECT_TRUE(shows(R"(postern_scheduler_up{name="alive"} 1)"));
  EXPECT_TRUE(shows(R"(postern_scheduler_up{name="silent"} 0)"));
  EXPECT_TRUE(shows(R"(postern_inflight{name="alive"} 3)"));
  EXPECT_FALSE(shows(R"(postern_inflight{name="silent"} 3)"));
  EXPECT_TRUE(shows(R"(postern_attempts_parked{name="alive"} 2)"));
  EXPECT_FALSE(shows(R"(postern_attempts_parked{name="silent"} 2)"));
  const Answer stats = ask("GET", "/v1/stats");
  EXPECT_EQ(stats.text("in_flight"), "3");
  EXPECT_EQ(stats.text("schedulers/0/name"), "alive");
  EXPECT_EQ(stats.text("schedulers/0/slots"), "8");
  EXPECT_EQ(stats.text("schedulers/1/up"), "false");
}

TEST_F(MetaTest, LanesThatAreHeldBackAreNamed) {
  const std::int64_t lane = lane_id("default", "q", "host:81");
  admin_.exec({"",
               "INSERT INTO postern.lane (id, tenant, queue, target) VALUES ($1, 'default', "
               "'q', 'host:81')"},
              db::Params().int8(lane));
  const auto gauges = [&](const std::string& state) {
    SchedulerGauges out;
    out.lanes = {{lane, state}, {1, "open"}};
    return out;
  };
  beat("one", gauges("open"));
  beat("two", gauges("open"));
  beat("three", gauges("closed"));
  const Uuid odd = beat("odd");
  admin_.exec({"", "UPDATE postern.instance SET gauges = '{\"lanes\":7}' WHERE id = $1"},
              db::Params().uuid(odd));
  const std::string series =
      R"(postern_lane_breaker_state{tenant="default",queue="q",target="host:81",state=")";
  EXPECT_TRUE(shows(series + "open\"} 1"));
  EXPECT_FALSE(shows(series + "closed\"} 1"));
}

TEST_F(MetaTest, StatsAreOfTheCallersTenant) {
  add("default", "mine", "created", 1);
  add("default", "mine", "finished_failed", 2);
  add("default", "mine", "attempts_lost", 3);
  add("other", "theirs", "created", 5);
  const Answer stats = ask("GET", "/v1/stats");
  EXPECT_EQ(stats.status, 200);
  EXPECT_EQ(stats.text("totals/created"), "1");
  EXPECT_EQ(stats.text("totals/finished/failed"), "2");
  EXPECT_EQ(stats.at("queues").as_array().size(), 1U);
  EXPECT_EQ(stats.text("queues/0/name"), "mine");
  EXPECT_EQ(stats.text("queues/0/attempts/lost"), "3");
  HttpRequest nobody = request("GET", "/v1/stats");
  nobody.verdict = Verdict::missing;
  EXPECT_EQ(ask(nobody).status, 401);
}

TEST_F(MetaTest, IsHealthyAndReady) {
  EXPECT_EQ(ask("GET", "/healthz").text("status"), "ok");
  // Without any scheduler, too.
  const Answer ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"ready":true,"checks":{"tasks":{"ok":true},"config":{"ok":true},)"
                        R"("schedulers":{"ok":false,"count":0,"seconds_since":null,)"
                        R"("error":"no scheduler was heard for a minute"}}})");
}

// Without their names: anybody may ask.
TEST_F(MetaTest, ReadinessSaysWhenASchedulerWasHeard) {
  const auto heard = [&](const char* name, const char* age) {
    admin_.exec({"", "UPDATE postern.instance SET beat_at = now() - $2::interval WHERE id = $1"},
                db::Params().uuid(beat(name)).text(age));
  };
  heard("dead", "2 hours");
  Answer ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.text("checks/schedulers/ok"), "false");
  EXPECT_EQ(ready.text("checks/schedulers/seconds_since"), "7200");
  heard("one", "7 s");
  heard("two", "40 s");
  ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body.substr(ready.body.find("\"schedulers\"")),
            R"("schedulers":{"ok":true,"count":2,"seconds_since":7}}})");
}

TEST_F(MetaTest, NothingIsReadyWithoutASchedulerWhereOneIsNeeded) {
  Handlers::Options options;
  options.ready_needs_scheduler = true;
  start(options);
  const Answer ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.text("ready"), "false");
  EXPECT_EQ(ready.text("checks/config/ok"), "true");
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  beat("one");
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
}

TEST_F(MetaTest, PausesAreShown) {
  create();
  EXPECT_TRUE(shows("postern_engine_paused 0"));
  EXPECT_TRUE(shows(R"(postern_paused{what="queues"} 0)"));
  EXPECT_EQ(ask("GET", "/v1/stats").text("paused"), "false");
  EXPECT_EQ(ask("GET", "/v1/stats").text("queues/0/paused"), "false");
  EXPECT_EQ(ask("GET", "/v1/queues/q/stats").text("engine_paused"), "false");

  db::pause_engine(admin_, true);
  EXPECT_TRUE(shows("postern_engine_paused 1"));
  EXPECT_EQ(ask("GET", "/v1/stats").text("paused"), "true");
  EXPECT_EQ(ask("GET", "/v1/queues/q/stats").text("engine_paused"), "true");
  EXPECT_EQ(ask("GET", "/v1/queues/q/stats").text("paused"), "false");
  db::pause_engine(admin_, false);
  EXPECT_TRUE(shows("postern_engine_paused 0"));

  ask("POST", "/v1/queues/q/pause");
  EXPECT_EQ(ask("GET", "/v1/stats").text("queues/0/paused"), "true");
  EXPECT_EQ(ask("GET", "/v1/queues/q/stats").text("paused"), "true");
  ask("PUT", "/v1/endpoints/shop", R"({"url":"http://receiver.test/","paused":true})");
  ask("PUT", "/v1/schedules/night",
      R"({"queue":"q","webhook_url":"http://receiver.test/","schedule":"@yearly","paused":true})");
  for (const char* line :
       {R"(postern_queue_paused{tenant="default",queue="q"} 1)",
        R"(postern_endpoint_paused{tenant="default",endpoint="shop"} 1)",
        R"(postern_schedule_paused{tenant="default",schedule="night"} 1)",
        R"(postern_paused{what="queues"} 1)", R"(postern_paused{what="endpoints"} 1)",
        R"(postern_paused{what="schedules"} 1)"}) {
    EXPECT_TRUE(shows(line)) << line;
  }
  ask("POST", "/v1/queues/q/resume");
  EXPECT_FALSE(shows(R"(postern_queue_paused{tenant="default",queue="q"} 1)"));
}

TEST_F(MetaTest, PausesAreBounded) {
  admin_.script(R"sql(
    INSERT INTO postern.queue (tenant, name, paused) SELECT 'default', 'q' || n, true FROM generate_series(1, 1005) n;
    INSERT INTO postern.queue (tenant, name, paused) VALUES ('default', 'aq_test', true))sql");
  EXPECT_TRUE(shows(R"(postern_paused{what="queues"} 1005)")) << "without the sandbox queue";
  const std::string text = ask("GET", "/metrics").body;
  std::size_t series = 0;
  for (auto at = text.find("\npostern_queue_paused{"); at != text.npos;
       at = text.find("\npostern_queue_paused{", at + 1)) {
    ++series;
  }
  EXPECT_EQ(series, 1000u);
}

TEST_F(MetaTest, RetryPoliciesAreInNanosecondsSortedByName) {
  const Answer answer = ask("GET", "/v1/retry-policies");
  EXPECT_EQ(answer.status, 200);
  const auto policies = answer.at("policies").as_array();
  ASSERT_EQ(policies.size(), 11U);
  EXPECT_EQ(answer.text("policies/0/name"), "10m");
  EXPECT_EQ(answer.text("policies/0/intervals/1"), "70800000000");
  EXPECT_EQ(answer.text("policies/1/intervals/19"), "3450000000000");
  EXPECT_EQ(answer.at("policies/0/jitter").to_number<double>(), 0.9);
  EXPECT_EQ(answer.text("policies/7/name"), "none");
  EXPECT_TRUE(answer.at("policies/7/intervals").as_array().empty());
}

TEST_F(MetaTest, WithoutTheDatabaseTheyAreUnavailable) {
  admin_.script("REVOKE SELECT ON postern.counter FROM postern_api");
  EXPECT_EQ(ask("GET", "/metrics").status, 500) << "a fault of the server, not of the moment";
  admin_.script("GRANT SELECT ON postern.counter TO postern_api");
  db::Pool nowhere({"host=/nonexistent", "test"}, 1);
  Handlers api({}, nowhere, *intake_);
  for (const char* path : {"/metrics", "/monitor/metrics", "/v1/stats"}) {
    int status = 0;
    api.answer(request("GET", path),
               [&](const HttpResponse& response) { status = response.status; });
    EXPECT_EQ(status, 503) << path;
  }
}

}  // namespace
}  // namespace postern::test
