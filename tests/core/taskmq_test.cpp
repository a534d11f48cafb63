#include "core/wire/taskmq.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/ids.h"

namespace postern {
namespace {

using namespace std::string_literals;

TaskSpec a_job() {
  TaskSpec task;
  task.dialect = Dialect::taskmq;
  task.id = parse_task_id("task_01h455vb4pex5vsknk084sn02q").value();
  task.job_id = 123;
  task.endpoint = "mail";
  task.body = R"({"b": 1e2, "a":[2.50]})";
  return task;
}

TEST(TaskMqWebhookBody, NamesTheJobAndItsHandler) {
  EXPECT_EQ(taskmq_webhook_body(a_job(), 2),
            R"({"job_id":123,"handler":"mail","payload":{"b": 1e2, "a":[2.50]},"attempt":2})");
  TaskSpec task = a_job();
  task.endpoint = "say \"hi\"\\";
  task.body = "{}";
  EXPECT_EQ(taskmq_webhook_body(task, 1),
            R"({"job_id":123,"handler":"say \"hi\"\\","payload":{},"attempt":1})");
}

// Such tasks come in by the SQL door.
TEST(TaskMqWebhookBody, HasNullForWhatIsNotThere) {
  TaskSpec task = a_job();
  task.job_id.reset();
  task.body.reset();
  EXPECT_EQ(taskmq_webhook_body(task, 1),
            R"({"job_id":null,"handler":"mail","payload":null,"attempt":1})");
  task.body = "\0 not JSON"s;
  task.body_form = BodyForm::raw;
  EXPECT_EQ(taskmq_webhook_body(task, 1), "\0 not JSON"s);
}

TEST(TaskMqStatus, HasAWordForEveryPhase) {
  for (int i = 0; i <= static_cast<int>(Phase::max_age); ++i) {
    const auto phase = static_cast<Phase>(i);
    const std::string_view word = taskmq_status(phase);
    switch (phase) {
      case Phase::pending:
      case Phase::delayed:
      case Phase::blocked:
      case Phase::retry: EXPECT_EQ(word, "PENDING") << name(phase); break;
      case Phase::active:
      case Phase::waiting: EXPECT_EQ(word, "RUNNING") << name(phase); break;
      case Phase::completed: EXPECT_EQ(word, "SUCCESS"); break;
      default: EXPECT_EQ(word, "FAILED") << name(phase);
    }
  }
}

TEST(TaskMqPriority, IsSortedAsItWasAndEchoedAsItCame) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  const std::pair<std::int64_t, int> cases[] = {{std::numeric_limits<std::int64_t>::min(), 0},
                                                {-10, 0},
                                                {-1, 23},
                                                {0, 25},
                                                {1, 27},
                                                {5, 37},
                                                {10, 50},
                                                {20, 75},
                                                {30, 100},
                                                {kLast, 100}};
  for (const auto& [given, kept] : cases) {
    EXPECT_EQ(priority_of_taskmq(given), kept) << given;
    TaskSpec task = a_job();
    task.extra = taskmq_extra(given);
    EXPECT_EQ(taskmq_priority(task), given);
  }
}

TEST(TaskMqPriority, OfAnotherDialectIsTheNearest) {
  TaskSpec task;
  for (const auto& [priority, shown] :
       {std::pair{0, -10}, {25, 0}, {50, 10}, {75, 20}, {100, 30}}) {
    task.priority = priority;
    EXPECT_EQ(taskmq_priority(task), shown) << priority;
  }
}

TEST(IsoFormat, IsPythons) {
  const Time whole{Seconds{1'775'044'800}};
  EXPECT_EQ(format_isoformat(whole), "2026-04-01T12:00:00+00:00");
  EXPECT_EQ(format_isoformat(whole + Microseconds{1}), "2026-04-01T12:00:00.000001+00:00");
  EXPECT_EQ(format_isoformat(whole + Milliseconds{500}), "2026-04-01T12:00:00.500000+00:00");
}

TEST(IsoFormat, IsReadInTheFormsThatProgramsWrite) {
  const Time noon{Seconds{1'775'044'800}};
  const std::pair<const char*, Time> cases[] = {
      {"2026-04-01T12:00:00Z", noon},
      {"2026-04-01T12:00:00z", noon},
      {"2026-04-01T12:00:00", noon},
      {"2026-04-01 12:00:00", noon},
      {"2026-04-01T12:00", noon},
      {"2026-04-01T12:00Z", noon},
      {"2026-04-01T14:00+02:00", noon},
      {"2026-04-01T12:00:00+00:00", noon},
      {"2026-04-01T12:00:00-00:00", noon},
      {"2026-04-01T17:30:00+0530", noon},
      {"2026-04-01T07:00:00-05", noon},
      {"2026-04-01T12:00:00.000Z", noon},
      {"2026-04-01T12:00:00.123456", noon + Microseconds{123'456}},
      {"2026-04-01 12:00:00.123456+00:00", noon + Microseconds{123'456}},
      {"2026-04-01T12:00:00.1234567Z", noon + Microseconds{123'456}},
  };
  for (const auto& [text, time] : cases) {
    EXPECT_EQ(parse_isoformat(text), time) << text;
  }
}

TEST(IsoFormat, RefusesWhatIsNoMoment) {
  for (const char* text :
       {"", "tomorrow", "2026-04-01", "2026-04-01T12", "2026-02-30T12:00:00Z",
        "2026-04-01T25:00:00Z", "2026-04-01T12:00:60Z", "2026-04-01T12:00:00 Z",
        "2026-04-01T12:00:00+2", "2026-04-01T12:00:00+25:00", "2026-04-01T12:00:00.Z",
        "2026-04-01T12:00:00Zjunk", "2026-04-01x12:00:00", "20260401T120000Z",
        "2026-04-01T12:00:00+00:00+00:00", "2026-04-01T12:00+", "2026-04-01T12:0012"}) {
    EXPECT_EQ(parse_isoformat(text), std::nullopt) << text;
  }
}

TEST(IsoFormat, ReadsWhatItWrites) {
  for (const std::int64_t micros :
       {0LL, 1LL, 999'999LL, 1'775'044'800'000'000LL, 253'402'300'799'999'999LL}) {
    const Time time{Microseconds{micros}};
    EXPECT_EQ(parse_isoformat(format_isoformat(time)), time) << micros;
  }
}

}  // namespace
}  // namespace postern
