#include "core/wire/taskmq.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/model/ids.h"

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

// The SQL door makes such tasks.
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
  for (const Phase phase : kAllPhases) {
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

TEST(TaskMqPriority, IsStoredInTheSameOrderAndReturnedUnchanged) {
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

TEST(TaskMqPriority, IsTheNearestForATaskOfAnotherDialect) {
  TaskSpec task;
  for (const auto& [priority, shown] :
       {std::pair{0, -10}, {25, 0}, {50, 10}, {75, 20}, {100, 30}}) {
    task.priority = priority;
    EXPECT_EQ(taskmq_priority(task), shown) << priority;
  }
}

}  // namespace
}  // namespace postern
