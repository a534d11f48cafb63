// What a failed attempt means for its task: another one and when, or the end. The one place that
// decides it, for the scheduler and for receivers that tell their failure later. Pure.
#pragma once

#include <string>

#include "core/model/task.h"

namespace postern {

struct NextStep {
  State state;  // delayed: again after `delay`; failed: over
  Reason reason = Reason::none;
  Milliseconds delay{0};
  std::string note{};  // for people, to be added to the attempt's error; empty: nothing
};

// `failed`: attempts of the present budget, this one included. `ended`: when this one ended, by the
// database's clock. `at_least`: the delay that the receiver asked for. `random` is uniform in
// [0, 1).
NextStep next_step(const TaskSpec& task, int failed, Time ended, Milliseconds at_least,
                   double random);

}  // namespace postern
