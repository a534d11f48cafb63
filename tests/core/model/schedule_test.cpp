#include "core/model/schedule.h"

#include <gtest/gtest.h>

#include "core/wire/creation_json.h"
#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

Time at(const char* text) { return parse_rfc3339(text).value(); }

Schedule hourly() {
  Schedule out;
  out.name = "hourly";
  out.spec = "0 * * * *";
  out.task = creation_from_json(R"({"queue":"q","url":"https://a.test/","priority":50})");
  out.created_at = at("2026-01-01T10:30:00.7Z");
  return out;
}

TEST(CheckSchedule, NamesTheFieldAtFault) {
  struct Case {
    const char* expected;
    void (*spoil)(Schedule&);
  };
  const Case cases[] = {
      {"ok", [](Schedule&) {}},
      {"schedule_invalid name", [](Schedule& s) { s.name = ""; }},
      {"schedule_invalid name", [](Schedule& s) { s.name = "a b"; }},
      {"schedule_invalid name", [](Schedule& s) { s.name = std::string(129, 'a'); }},
      {"schedule_invalid schedule", [](Schedule& s) { s.spec = ""; }},
      {"schedule_invalid schedule", [](Schedule& s) { s.spec = "not a cron"; }},
      {"schedule_invalid schedule", [](Schedule& s) { s.spec = "0 0 30 2 *"; }},
      {"timezone_invalid timezone", [](Schedule& s) { s.timezone = "Europe/Atlantis"; }},
      {"schedule_invalid interval_seconds", [](Schedule& s) { set_interval(s, 0s); }},
      {"schedule_invalid interval_seconds", [](Schedule& s) { set_interval(s, Seconds::max()); }},
      {"ok", [](Schedule& s) { set_interval(s, 1s); }},
      {"schedule_invalid ends_at",
       [](Schedule& s) {
         s.bounds.starts_at = at("2026-01-02T00:00:00Z");
         s.bounds.ends_at = s.bounds.starts_at;
       }},
      {"misfire_limit_out_of_range misfire_limit", [](Schedule& s) { s.misfire.limit = 0; }},
      {"misfire_limit_out_of_range misfire_limit", [](Schedule& s) { s.misfire.limit = 101; }},
      {"misfire_window_out_of_range misfire_window_seconds",
       [](Schedule& s) { s.misfire.window = -1s; }},
      {"jitter_out_of_range jitter_seconds", [](Schedule& s) { s.jitter = 86'401s; }},
      {"schedule_invalid deadline_offset", [](Schedule& s) { s.deadline_offset = 29s; }},
      {"ok", [](Schedule& s) { s.deadline_offset = 30s; }},
      {"schedule_invalid deadline_offset",
       [](Schedule& s) {
         s.deadline_offset = 30s;
         s.jitter = 31s;
       }},
      {"queue_name_required queue", [](Schedule& s) { s.task.queue = ""; }},
      {"url_invalid url", [](Schedule& s) { s.task.url = "ftp://a.test/"; }},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    Schedule schedule = hourly();
    cases[i].spoil(schedule);
    EXPECT_EQ(outcome(check_schedule(schedule, schedule.created_at)), cases[i].expected)
        << "case " << i;
  }
}

std::string times(const Schedule& schedule, Time after, int count) {
  std::string out;
  const CronSpec spec = check_schedule(schedule, after).value();
  for (const Time time : occurrences_after(spec, schedule, after, count)) {
    out += format_rfc3339(time).substr(11, 8) + " ";
  }
  return out;
}

TEST(Occurrences, KeepTheBounds) {
  Schedule schedule = hourly();
  EXPECT_EQ(times(schedule, schedule.created_at, 2), "11:00:00 12:00:00 ");
  schedule.bounds.starts_at = at("2026-01-01T12:00:00Z");
  schedule.bounds.ends_at = at("2026-01-01T14:00:00Z");
  EXPECT_EQ(times(schedule, schedule.created_at, 9), "12:00:00 13:00:00 ");
}

TEST(Occurrences, CountIntervalsFromTheWholeSecondOfTheCreation) {
  Schedule schedule = hourly();
  set_interval(schedule, 90s);
  EXPECT_EQ(times(schedule, schedule.created_at, 2), "10:31:30 10:33:00 ");
}

TEST(FirstTime, IsTheFirstOccurrenceOrAnError) {
  Schedule schedule = hourly();
  const Time now = at("2026-01-01T10:30:00Z");
  const auto spec = check_schedule(schedule, now).value();
  EXPECT_EQ(outcome(set_first_time(schedule, spec, now)), "ok");
  EXPECT_EQ(schedule.next_at, at("2026-01-01T11:00:00Z"));
  schedule.bounds.ends_at = at("2026-01-01T11:00:00Z");
  EXPECT_EQ(outcome(set_first_time(schedule, spec, now)), "schedule_invalid ends_at");
  EXPECT_EQ(schedule.next_at, std::nullopt);
}

TEST(OccurrenceTask, StartsAfterItsJitterAndEndsByTheNominalTime) {
  Schedule schedule = hourly();
  schedule.jitter = 20s;
  schedule.deadline_offset = 60s;
  const Time nominal = at("2026-01-01T11:00:00Z");
  const NewTask task = occurrence_task(schedule, nominal, {}, "default", TaskId{}).value();
  EXPECT_GE(*task.run_at, nominal);
  EXPECT_LE(*task.run_at, nominal + 20s);
  EXPECT_EQ(task.spec.deadline, nominal + 60s);
  EXPECT_EQ(task.run_at, occurrence_task(schedule, nominal, {}, "default", TaskId{})->run_at);
}

TEST(ZoneOfSpec, IsThePrefixOfTheSpec) {
  EXPECT_EQ(zone_of_spec("TZ=Europe/Berlin 0 8 * * *"), "Europe/Berlin");
  EXPECT_EQ(zone_of_spec("CRON_TZ=UTC @daily"), "UTC");
  EXPECT_EQ(zone_of_spec("0 8 * * *"), "");
  EXPECT_EQ(zone_of_spec("TZ="), "");
}

}  // namespace
}  // namespace postern
