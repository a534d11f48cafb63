#include "core/wire/asyncjobs.h"

#include <gtest/gtest.h>

#include "core/base/json.h"
#include "core/wire/attempts.h"

namespace postern {
namespace {

const Time kCreated = parse_rfc3339("2025-01-15T10:30:00.123456Z").value();

Task a_task(State state, int attempt, Reason reason = Reason::none) {
  Task task;
  task.spec.dialect = Dialect::asyncjobs;
  task.state = state;
  task.attempt = attempt;
  task.reason = reason;
  task.created_at = task.updated_at = kCreated;
  return task;
}

void record(Task& task, int number, Time at) {
  Attempt attempt;
  attempt.number = number;
  attempt.status = "failed";
  attempt.executed_at = at;
  task.attempts = "[" + attempt_json(attempt) + "]";
}

// A member's own bytes; "-" when it is left out.
std::string shown(const Task& task, std::string_view key) {
  JsonWriter out;
  write_asyncjobs_task(out, task);
  const std::string json = out.take();
  for (const JsonMember& member : parse_json_object(json).value()) {
    if (member.key == key) return std::string(member.raw);
  }
  return "-";
}

TEST(AsyncJobsTask, CountsOnlyTriesThatReachedTheHandler) {
  Task task = a_task(State::failed, 1, Reason::deadline);
  EXPECT_EQ(shown(task, "tries"), "-") << "claimed after its deadline";
  record(task, 1, kCreated);
  EXPECT_EQ(shown(task, "tries"), "1") << "the next would be after its deadline";
  task.attempt = 2;
  EXPECT_EQ(shown(task, "tries"), "1");
  task.attempt_base = 1;
  EXPECT_EQ(shown(task, "tries"), "-") << "of a fresh budget";
  EXPECT_EQ(shown(a_task(State::failed, 2, Reason::exhausted), "tries"), "2");
  EXPECT_EQ(shown(a_task(State::active, 1), "tries"), "1");
}

TEST(AsyncJobsTask, ShowsTheSameTriedTimeDuringAndAfterAnAttemptAndNeverBeforeTheCreation) {
  const std::pair<Time, std::string> cases[] = {
      {kCreated + Microseconds{9'999}, R"("2025-01-15T10:30:00.133Z")"},
      {kCreated + Microseconds{1}, R"("2025-01-15T10:30:00.123456Z")"},
      {kCreated - Microseconds{500}, R"("2025-01-15T10:30:00.123456Z")"},
  };
  for (const auto& [claimed, expected] : cases) {
    Task task = a_task(State::active, 1);
    task.updated_at = claimed;
    EXPECT_EQ(shown(task, "tried"), expected);
    task = a_task(State::delayed, 1);
    record(task, 1, claimed);
    EXPECT_EQ(shown(task, "tried"), expected);
  }
  EXPECT_EQ(shown(a_task(State::ready, 0), "tried"), "-");
}

TEST(AsyncJobsTask, ShowsItsDeadlineAsTheClientSpelledIt) {
  Task task = a_task(State::ready, 0);
  task.spec.extra = asyncjobs_extra({"2025-01-15T12:30:00+02:00", ""});
  EXPECT_EQ(shown(task, "deadline"), "-") << "dropped by a retry";
  task.spec.deadline = parse_rfc3339("2025-01-15T10:30:00Z");
  EXPECT_EQ(shown(task, "deadline"), R"("2025-01-15T12:30:00+02:00")");
  task.spec.extra.clear();
  EXPECT_EQ(shown(task, "deadline"), R"("2025-01-15T10:30:00Z")");
}

TEST(AsyncJobsTask, SaysThatItWasCancelled) {
  Task task = a_task(State::cancelled, 0, Reason::cancelled);
  EXPECT_EQ(shown(task, "last_err"), R"("cancelled")");
  task.last_error = "HTTP 500";
  EXPECT_EQ(shown(task, "last_err"), R"("cancelled")");
  EXPECT_EQ(shown(a_task(State::ready, 0), "last_err"), "-");
}

TEST(AsyncJobsTask, SaysThatItsQueueHadNoRoom) {
  for (const Reason reason : {Reason::queue_full, Reason::quota_exceeded}) {
    EXPECT_EQ(shown(a_task(State::failed, 0, reason), "state"), R"("queue_error")");
  }
}

}  // namespace
}  // namespace postern
