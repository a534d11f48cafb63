#include "core/wire/schedule_json.h"

#include <gtest/gtest.h>

#include "tests/core/wire/names.h"

namespace postern {
namespace {

Time at(const char* text) { return parse_rfc3339(text).value(); }

std::string json_of(const Schedule& schedule) {
  JsonWriter out;
  wire::write_schedule(out, schedule);
  return out.take();
}

TEST(ScheduleJson, NamesEachFieldOnce) {
  expect_a_proper_table(wire::schedule_fields());
  expect_a_proper_table(wire::run_fields());
}

TEST(ScheduleJson, LeavesOutWhatIsNotSet) {
  EXPECT_EQ(json_of(Schedule{}),
            R"({"name":"","schedule":"","queue":"","created_at":"1970-01-01T00:00:00Z",)"
            R"("timezone":"","priority":5,"misfire":"last","misfire_limit":10,)"
            R"("misfire_window_seconds":3600,"overlap":"allow","jitter_seconds":0,)"
            R"("paused":false,"updated_at":"1970-01-01T00:00:00Z"})");
}

Schedule full() {
  Schedule out;
  out.name = "nightly";
  set_interval(out, Seconds{90});
  out.timezone = "Europe/Berlin";
  Creation& task = out.task;
  task.queue = "jobs";
  task.url = "https://a.test/";
  task.endpoint = "mail";
  task.method = "PUT";
  task.headers = {{"X-A", "1"}};
  task.body = R"({"n":1})";
  task.content_type = "text/plain";
  task.priority = 80;
  task.max_retries = 4;
  task.retry_policy = "linear";
  task.timeout = Seconds{20};
  task.tags = {"a", "b"};
  task.key = "k";
  task.on_complete_url = "https://c.test/";
  task.on_failure_url = "https://f.test/";
  out.misfire = {.kind = Misfire::all, .window = Seconds{60}, .limit = 2};
  out.overlap = Overlap::skip;
  out.jitter = Seconds{5};
  out.bounds = {at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")};
  out.deadline_offset = Seconds{30};
  out.next_at = at("2026-02-01T00:00:00Z");
  out.last_at = at("2026-01-31T00:00:00Z");
  out.created_at = at("2025-01-01T00:00:00Z");
  out.updated_at = at("2025-01-02T00:00:00Z");
  return out;
}

TEST(ScheduleJson, WritesEveryField) {
  EXPECT_EQ(json_of(full()),
            R"({"name":"nightly","schedule":"@every 90s","queue":"jobs",)"
            R"("created_at":"2025-01-01T00:00:00Z","payload":{"n":1},"deadline":30000000000,)"
            R"("max_tries":5,"interval_seconds":90,"timezone":"Europe/Berlin",)"
            R"("webhook_url":"https://a.test/","endpoint":"mail","method":"PUT",)"
            R"("headers":{"X-A":"1"},"content_type":"text/plain","priority":8,"max_retries":4,)"
            R"("retry_policy":"linear","timeout":20,"tags":["a","b"],"key":"k",)"
            R"("on_complete_url":"https://c.test/","on_failure_url":"https://f.test/",)"
            R"("misfire":"all","misfire_limit":2,"misfire_window_seconds":60,"overlap":"skip",)"
            R"("jitter_seconds":5,"starts_at":"2026-01-01T00:00:00Z",)"
            R"("ends_at":"2027-01-01T00:00:00Z","paused":false,)"
            R"("next_at":"2026-02-01T00:00:00Z","last_at":"2026-01-31T00:00:00Z",)"
            R"("updated_at":"2025-01-02T00:00:00Z"})");
}

TEST(ScheduleJson, ShowsAsyncjobssTargetAndPayloadInItsWords) {
  Schedule schedule = full();
  schedule.task.dialect = Dialect::asyncjobs;
  const std::string json = json_of(schedule);
  EXPECT_NE(json.find(R"("task_type":"mail")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("payload":"eyJuIjoxfQ==")"), std::string::npos) << json;
  EXPECT_EQ(json.find(R"("endpoint")"), std::string::npos) << json;
  schedule.task.body = "";
  EXPECT_EQ(json_of(schedule).find(R"("payload")"), std::string::npos);
}

TEST(ScheduleJson, ShowsNoNextTimeWhilePaused) {
  Schedule schedule = full();
  schedule.paused = true;
  EXPECT_EQ(json_of(schedule).find("next_at"), std::string::npos);
}

TEST(ScheduleJson, WritesRunsAndTimes) {
  JsonWriter out;
  const Time time = at("2026-01-01T00:00:00Z");
  out.begin_array();
  wire::write_run(out,
                  {time, time + Seconds{1}, parse_task_id("task_01h455vb4pex5vsknk084sn02q"), ""});
  wire::write_run(out, {time, time, std::nullopt, "late"});
  wire::write_next(out, {time});
  out.end_array();
  EXPECT_EQ(out.text(),
            R"([{"nominal_time":"2026-01-01T00:00:00Z","fired_at":"2026-01-01T00:00:01Z",)"
            R"("task_id":"task_01h455vb4pex5vsknk084sn02q"},)"
            R"({"nominal_time":"2026-01-01T00:00:00Z","fired_at":"2026-01-01T00:00:00Z",)"
            R"("skipped":"late"},{"next":["2026-01-01T00:00:00Z"]}])");
}

}  // namespace
}  // namespace postern
