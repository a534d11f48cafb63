// Decides what follows a failed attempt: a retry and its delay, or the end of the task. Used by the
// scheduler, and by the API for deferred attempts whose receiver reports a failure. Pure.
#pragma once

#include <string>

#include "core/model/task.h"

namespace postern {

struct NextStep {
  State state;  // delayed: retry after `delay`; failed: the task is over
  Reason reason = Reason::none;
  Milliseconds delay{0};
  std::string note{};  // appended to the attempt's error text; may be empty
};

// `failed`: the failed attempts of the present budget, including this one. `ended`: when this one
// ended, by the database's clock. `at_least`: the delay that the receiver asked for (Retry-After).
// `random` is uniform in [0, 1).
NextStep next_step(const TaskSpec& task, int failed, Time ended, Milliseconds at_least,
                   double random);

}  // namespace postern
