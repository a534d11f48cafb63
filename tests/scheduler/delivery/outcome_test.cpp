#include "scheduler/delivery/outcome.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/uuid.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;
using Kind = HttpResult::Kind;

const Time kNow = Time{std::chrono::sys_days{std::chrono::year{2026} / 3 / 1}};

db::Claimed claimed(int attempt = 1) {
  db::Claimed task;
  task.spec.id = random_uuid();
  task.lease = random_uuid();
  task.attempt = attempt;
  task.claimed_at = kNow;
  task.lease_until = kNow + 60s;
  return task;
}

HttpResult answer(int status, Headers headers = {}, std::string body = {}) {
  HttpResult result;
  result.kind = Kind::answered;
  result.status = status;
  result.headers = std::move(headers);
  result.body = std::move(body);
  result.duration = 12ms;
  return result;
}

HttpResult failure(Kind kind, std::string error) {
  HttpResult result;
  result.kind = kind;
  result.error = std::move(error);
  result.duration = 12ms;
  return result;
}

TEST(Outcome, SaysWhichStatusIsASuccess) {
  const struct {
    Dialect dialect;
    int status;
    State state;
  } cases[] = {
      {Dialect::native, 200, State::completed},     {Dialect::native, 204, State::completed},
      {Dialect::native, 299, State::completed},     {Dialect::native, 199, State::delayed},
      {Dialect::native, 300, State::delayed},       {Dialect::native, 302, State::delayed},
      {Dialect::native, 404, State::delayed},       {Dialect::native, 500, State::delayed},
      {Dialect::taskmq, 302, State::delayed},       {Dialect::asyncjobs, 404, State::delayed},
      {Dialect::asyncqueue, 200, State::completed}, {Dialect::asyncqueue, 302, State::completed},
      {Dialect::asyncqueue, 404, State::completed}, {Dialect::asyncqueue, 410, State::completed},
      {Dialect::asyncqueue, 499, State::completed}, {Dialect::asyncqueue, 500, State::delayed},
  };
  for (const auto& [dialect, status, state] : cases) {
    auto task = claimed();
    task.spec.dialect = dialect;
    EXPECT_EQ(outcome(task, answer(status), kNow, 0).state, state)
        << name(dialect) << " " << status;
  }
}

TEST(Outcome, RecordsASuccess) {
  auto task = claimed(3);
  // A character is cut by the limit of an attempt's answer.
  const std::string body = std::string(1023, 'x') + "\xC3\xA4" + std::string(4000, 'x');
  const auto end = outcome(task, answer(201, {{"x-a", "1"}, {"x-a", "2"}}, body), kNow, 0);
  EXPECT_EQ(end.id, task.spec.id);
  EXPECT_EQ(end.lease, task.lease);
  EXPECT_EQ(end.reason, Reason::none);
  EXPECT_EQ(end.last_error, "");
  ASSERT_TRUE(end.attempt);
  EXPECT_EQ(end.attempt->number, 3);
  EXPECT_EQ(end.attempt->status, "success");
  EXPECT_EQ(end.attempt->response_code, 201);
  EXPECT_EQ(end.attempt->error, "");
  EXPECT_EQ(end.attempt->executed_at, kNow);
  EXPECT_EQ(end.attempt->duration, 12ms);
  EXPECT_EQ(end.attempt->response, body.substr(0, 1023));
  ASSERT_TRUE(end.result);
  EXPECT_EQ(end.result->status, 201);
  EXPECT_EQ(end.result->headers, (Headers{{"x-a", "1, 2"}}));
  EXPECT_EQ(end.result->body, body);
  EXPECT_EQ(end.result->duration, 12ms);
}

TEST(Outcome, RetriesAFailureByThePolicy) {
  for (const auto& [attempt, delay] : {std::pair{1, 1s}, {2, 2s}, {3, 4s}}) {
    const auto next = outcome(claimed(attempt), answer(500, {}, "oh"), kNow, 0.5);
    EXPECT_EQ(next.state, State::delayed);
    EXPECT_EQ(next.delay, delay) << attempt;
    EXPECT_EQ(next.last_error, "HTTP 500");
    EXPECT_EQ(next.attempt->status, "failed");
    EXPECT_EQ(next.attempt->error, "HTTP 500");
    EXPECT_EQ(next.attempt->response_code, 500);
    EXPECT_EQ(next.attempt->response, "oh");
    EXPECT_FALSE(next.result);
  }
}

// TaskMQ's jobs have three attempts in all, in each turn of a periodic one.
TEST(Outcome, TriesAJobOfTaskMqThreeTimes) {
  const struct {
    const char* policy;
    std::vector<Milliseconds> delays;
  } cases[] = {{"taskmq-fixed", {2s, 2s}}, {"taskmq-exponential", {2s, 4s}}, {"none", {}}};
  for (const auto& [policy, delays] : cases) {
    for (const int base : {0, 7}) {
      auto task = claimed();
      task.spec.dialect = Dialect::taskmq;
      task.spec.retry_policy = policy;
      task.spec.max_attempts = 3;
      task.attempt_base = base;
      for (std::size_t failures = 1; failures <= delays.size() + 1; ++failures) {
        task.attempt = base + static_cast<int>(failures);
        const bool last = failures > delays.size();
        const auto handler = not_found("endpoint_not_found", "Unknown handler: mail");
        for (const auto& end :
             {outcome(task, answer(500), kNow, 0.5), not_sent(task, handler, 0.5)}) {
          EXPECT_EQ(end.state, last ? State::failed : State::delayed) << policy << failures;
          EXPECT_EQ(end.reason, last ? Reason::exhausted : Reason::none) << policy << failures;
          EXPECT_EQ(end.delay, last ? 0ms : delays[failures - 1]) << policy << failures;
        }
      }
    }
  }
}

TEST(Outcome, GivesUpWhenTheBudgetIsUsed) {
  const auto end = outcome(claimed(4), answer(500, {}, "oh"), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::exhausted);
  EXPECT_EQ(end.last_error, "HTTP 500");
  ASSERT_TRUE(end.result);
  EXPECT_EQ(end.result->status, 500);

  auto second_budget = claimed(5);
  second_budget.attempt_base = 4;
  const auto next = outcome(second_budget, answer(500), kNow, 0);
  EXPECT_EQ(next.state, State::delayed);
  EXPECT_EQ(next.delay, 1s) << "a new budget begins with the first delay";
  EXPECT_EQ(next.attempt->number, 5);
}

TEST(Outcome, NeverRetriesWhenThePolicyIsNone) {
  auto task = claimed();
  task.spec.retry_policy = "none";
  const auto end = outcome(task, answer(500), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::exhausted);
}

TEST(Outcome, EndsATaskWhosePolicyCannotBeRead) {
  auto task = claimed();
  task.spec.retry_policy = "weekly";
  const auto end = outcome(task, answer(500), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::invalid);
}

TEST(Outcome, EndsATaskThatIsGone) {
  const auto end = outcome(claimed(), answer(410), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::gone);
}

TEST(Outcome, EndsATaskWhenTheReceiverSaysSo) {
  const struct {
    const char* value;
    bool ends;
  } cases[] = {{"1", true},      {"true", true},   {"please", true}, {"0", false},
               {"false", false}, {"False", false}, {"", false}};
  for (const auto& [value, ends] : cases) {
    const auto end = outcome(claimed(), answer(500, {{"postern-no-retry", value}}), kNow, 0);
    EXPECT_EQ(end.state, ends ? State::failed : State::delayed) << value;
    EXPECT_EQ(end.reason, ends ? Reason::terminated : Reason::none) << value;
  }
  const auto good = outcome(claimed(), answer(200, {{"postern-no-retry", "1"}}), kNow, 0);
  EXPECT_EQ(good.state, State::completed);
}

TEST(Outcome, WaitsAsLongAsTheReceiverAsks) {
  const struct {
    int status;
    const char* retry_after;
    Milliseconds delay;
  } cases[] = {
      {429, "30", 30s},
      {503, "30", 30s},
      {500, "30", 1s},  // means nothing with another status
      {429, "0", 1s},   // the policy's delay is longer
      {429, "soon", 1s},
      {429, "999999999", 24h},
      {503, "Sun, 01 Mar 2026 00:01:00 GMT", 60s},
      {503, "Sat, 28 Feb 2026 00:00:00 GMT", 1s},
  };
  for (const auto& [status, retry_after, delay] : cases) {
    const auto next = outcome(claimed(), answer(status, {{"retry-after", retry_after}}), kNow, 0);
    EXPECT_EQ(next.state, State::delayed);
    EXPECT_EQ(next.delay, delay) << status << " " << retry_after;
  }
}

TEST(Outcome, RetriesWhenNoAnswerCame) {
  for (const auto kind :
       {Kind::timed_out, Kind::name_not_resolved, Kind::not_connected, Kind::broken}) {
    const auto next = outcome(claimed(), failure(kind, "it broke"), kNow, 0);
    EXPECT_EQ(next.state, State::delayed);
    EXPECT_EQ(next.last_error, "it broke");
    EXPECT_EQ(next.attempt->error, "it broke");
    EXPECT_FALSE(next.attempt->response_code);
    EXPECT_EQ(next.attempt->duration, 12ms);
  }
  const auto end = outcome(claimed(4), failure(Kind::broken, "it broke"), kNow, 0);
  EXPECT_EQ(end.reason, Reason::exhausted);
  EXPECT_FALSE(end.result);
}

TEST(Outcome, EndsATaskThatMayNotBeSentThere) {
  const auto end = outcome(claimed(), failure(Kind::egress_denied, "not allowed"), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::egress_denied);
  EXPECT_EQ(end.last_error, "not allowed");
}

TEST(Outcome, KeepsTheDeadline) {
  auto task = claimed(2);  // fails at 12 ms, would start again 2 s later
  task.spec.deadline = kNow + 2012ms;
  EXPECT_EQ(outcome(task, answer(500), kNow, 0).state, State::delayed);
  task.spec.deadline = kNow + 2011ms;
  const auto end = outcome(task, answer(500), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::deadline);
  EXPECT_EQ(end.last_error, "HTTP 500");
  EXPECT_EQ(outcome(task, answer(200), kNow, 0).state, State::completed);
}

TEST(NotSent, EndsWhatIsInvalidAndRetriesAMissingEndpoint) {
  const auto end = not_sent(claimed(), invalid("url_invalid", "url", "bad URL"), 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::invalid);
  EXPECT_EQ(end.last_error, "bad URL");
  EXPECT_EQ(end.attempt->status, "failed");

  const auto next = not_sent(claimed(), not_found("endpoint_not_found", "no endpoint named x"), 0);
  EXPECT_EQ(next.state, State::delayed);
  EXPECT_EQ(next.delay, 1s);
  EXPECT_EQ(next.last_error, "no endpoint named x");
}

TEST(Lost, IsAFailedAttempt) {
  const auto next = lost(claimed(2), 0);
  EXPECT_EQ(next.state, State::delayed);
  EXPECT_EQ(next.delay, 2s);
  EXPECT_EQ(next.attempt->status, "lost");
  EXPECT_EQ(next.attempt->number, 2);
  EXPECT_FALSE(next.attempt->response_code);
  EXPECT_EQ(next.last_error, "the scheduler that made this attempt was lost");
  EXPECT_EQ(lost(claimed(4), 0).reason, Reason::exhausted);
}

// asyncjobs's handlers say by a header what went wrong, whatever the status.
TEST(AsyncJobsAnswer, AnErrorIsTriedAgainAndATerminationIsNot) {
  auto task = claimed();
  task.spec.dialect = Dialect::asyncjobs;
  const auto error = outcome(task, answer(200, {{"aj-error", "no luck"}}), kNow, 0);
  EXPECT_EQ(error.state, State::delayed);
  EXPECT_EQ(error.last_error, "no luck");
  EXPECT_EQ(error.attempt->response_code, 200);
  const auto end = outcome(task, answer(200, {{"aj-terminate", "hopeless"}}), kNow, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::terminated);
  EXPECT_EQ(end.last_error, "hopeless");
  // Whatever bytes it is said in.
  for (const char* header : {"aj-error", "aj-terminate"}) {
    const auto odd =
        outcome(task, answer(200, {{header, "caf\xE9" + std::string(2000, 'x')}}), kNow, 0);
    EXPECT_EQ(odd.last_error, "caf\xEF\xBF\xBD" + std::string(1018, 'x')) << header;
  }
  task.spec.dialect = Dialect::native;
  EXPECT_EQ(outcome(task, answer(200, {{"aj-terminate", "x"}}), kNow, 0).state, State::completed);
}

// AsyncQueue's waitForSignal: what was answered is not over before somebody says so.
TEST(Hold, AnAnsweredWebhookWaitsForItsSignal) {
  auto task = claimed();
  task.spec.dialect = Dialect::asyncqueue;
  task.spec.hold = 90s;
  const auto waiting = outcome(task, answer(404), kNow, 0);
  EXPECT_EQ(waiting.state, State::active);
  EXPECT_EQ(waiting.delay, 90s);
  EXPECT_FALSE(waiting.attempt);
  EXPECT_EQ(outcome(task, answer(500), kNow, 0).state, State::delayed);
  // The receiver does not say how long that is.
  EXPECT_EQ(outcome(task, answer(202, {{"postern-defer", "10"}}), kNow, 0).delay, 90s);
}

TEST(Hold, WithoutASignalItEndsAndIsNotTriedAgain) {
  auto task = claimed();
  task.spec.hold = 90s;
  const auto end = deferral_over(task, 0);
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::signal_timeout);
  ASSERT_TRUE(end.attempt);
  EXPECT_EQ(end.last_error, end.attempt->error);
}

TEST(PastDeadline, EndsWithoutAnAttempt) {
  const auto end = past_deadline(claimed());
  EXPECT_EQ(end.state, State::failed);
  EXPECT_EQ(end.reason, Reason::deadline);
  EXPECT_FALSE(end.attempt);
  EXPECT_NE(end.last_error, "");
}

TEST(GivenBack, LeavesNoTrace) {
  const auto task = claimed();
  const auto back = given_back(task);
  EXPECT_EQ(back.id, task.spec.id);
  EXPECT_EQ(back.lease, task.lease);
  EXPECT_EQ(back.state, State::ready);
  EXPECT_FALSE(back.attempt);
}

TEST(IsLastAttempt, CountsThePresentBudget) {
  EXPECT_FALSE(is_last_attempt(claimed(3)));
  EXPECT_TRUE(is_last_attempt(claimed(4)));
  auto task = claimed(4);
  task.attempt_base = 1;
  EXPECT_FALSE(is_last_attempt(task));
  task.spec.retry_policy = "none";
  EXPECT_TRUE(is_last_attempt(task));
}

}  // namespace
}  // namespace postern::scheduler
