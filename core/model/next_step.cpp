#include "core/model/next_step.h"

#include <algorithm>

#include "core/model/retry_policy.h"

namespace postern {

NextStep next_step(const TaskSpec& task, int failed, Time ended, Milliseconds at_least,
                   double random) {
  if (failed >= task.max_attempts) return {State::failed, Reason::exhausted};
  const auto policy = RetryPolicy::parse(task.retry_policy);
  if (!policy) {
    return {State::failed, Reason::invalid, {}, " (and no retry: " + policy.error().message + ")"};
  }
  const auto wait = policy->delay_after(failed, random);
  if (!wait) return {State::failed, Reason::exhausted};
  const auto delay = std::max(*wait, at_least);
  if (task.deadline && ended + delay > *task.deadline) return {State::failed, Reason::deadline};
  return {State::delayed, Reason::none, delay};
}

}  // namespace postern
