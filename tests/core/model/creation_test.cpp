#include "core/model/creation.h"

#include <gtest/gtest.h>

#include "core/model/validation.h"
#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

const Time kNow = Time{std::chrono::sys_days{std::chrono::year{2026} / 3 / 1}};

constexpr FieldNames kFields{
    .url = "url",
};

Creation in_dialect(Dialect dialect) {
  Creation wanted;
  wanted.fields = &kFields;
  wanted.dialect = dialect;
  wanted.queue = "q";
  wanted.endpoint = "email";
  return wanted;
}

TEST(Creation, AllowsADeadlineInThePastOnlyInAsyncjobs) {
  for (const Dialect dialect : kAllDialects) {
    auto wanted = in_dialect(dialect);
    wanted.deadline = kNow - 1s;
    EXPECT_EQ(outcome(check_creation(wanted, kNow)),
              dialect == Dialect::asyncjobs ? "ok" : "deadline_past deadline")
        << name(dialect);
  }
}

TEST(Creation, AllowsAThousandTriesOnlyInAsyncjobs) {
  for (const Dialect dialect : kAllDialects) {
    auto wanted = in_dialect(dialect);
    wanted.max_retries = 999;
    EXPECT_EQ(outcome(check_creation(wanted, kNow)),
              dialect == Dialect::asyncjobs ? "ok" : "max_retries_out_of_range max_retries")
        << name(dialect);
  }
}

TEST(Creation, LimitsRepeatAndHold) {
  const auto of = [](Seconds repeat, Seconds hold) {
    auto wanted = in_dialect(Dialect::taskmq);
    wanted.repeat = repeat;
    wanted.hold = hold;
    return outcome(check_creation(wanted, kNow));
  };
  EXPECT_EQ(of(kMaxDelay, kMaxDefer), "ok");
  EXPECT_EQ(of(kMaxDelay + 1s, 0s), "repeat_out_of_range repeat");
  EXPECT_EQ(of(-1s, 0s), "repeat_out_of_range repeat");
  EXPECT_EQ(of(0s, kMaxDefer + 1s), "hold_out_of_range hold");
  EXPECT_EQ(of(0s, -1s), "hold_out_of_range hold");
}

TEST(Creation, AllowsAnyTextAsAHandlerOnlyInTaskmq) {
  for (const Dialect dialect : kAllDialects) {
    auto wanted = in_dialect(dialect);
    wanted.endpoint = "app.tasks:send mail";
    EXPECT_EQ(outcome(check_creation(wanted, kNow)),
              dialect == Dialect::taskmq ? "ok" : "endpoint_invalid endpoint")
        << name(dialect);
  }
}

// A queue's default is the native policy, which asyncjobs does not know.
TEST(NewTask, TakesTheRetryPolicyOfItsQueueOrItsDialect) {
  const auto policy = [](Dialect dialect, std::string of_queue) {
    QueueDefaults queue;
    if (!of_queue.empty()) queue.retry_policy = std::move(of_queue);
    return new_task(in_dialect(dialect), queue, "default", TaskId{})->spec.retry_policy;
  };
  EXPECT_EQ(policy(Dialect::native, ""), "exponential");
  EXPECT_EQ(policy(Dialect::asyncjobs, ""), "default");
  EXPECT_EQ(policy(Dialect::asyncjobs, "1m"), "1m");
  EXPECT_EQ(policy(Dialect::native, "1m"), "1m");
}

TEST(NewTask, HasNoMoreTriesThanItsQueueAllowsInAnyDialect) {
  QueueDefaults queue;
  queue.max_tries = 2;
  for (const Dialect dialect : kAllDialects) {
    auto wanted = in_dialect(dialect);
    wanted.max_retries = 9;
    EXPECT_EQ(new_task(wanted, queue, "default", TaskId{})->spec.max_attempts, 2);
  }
}

TEST(NewTask, CopiesTheFieldsThatOnlySomeDialectsHave) {
  auto wanted = in_dialect(Dialect::asyncqueue);
  wanted.extra = "{}";
  wanted.repeat = 5s;
  wanted.hold = 7s;
  wanted.load_results = true;
  const auto task = new_task(wanted, QueueDefaults{}, "default", TaskId{});
  EXPECT_EQ(task->spec.extra, "{}");
  EXPECT_EQ(task->spec.repeat, 5s);
  EXPECT_EQ(task->spec.hold, 7s);
  EXPECT_TRUE(task->spec.load_results);
}

}  // namespace
}  // namespace postern
