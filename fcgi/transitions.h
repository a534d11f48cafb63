// What a client is told about a task that is not there, or is in the wrong state for what it asks.
#pragma once

#include <string_view>

#include "core/error.h"
#include "db/tasks.h"

namespace postern {

// `id` as the client spelled it, here and below.
Error no_such_task(std::string_view id);

// The conflict of a task that is in `state`.
Error wrong_state(State state);

// Whether the transition took place; else `task_not_found`, or the conflict.
Result<void> allowed(const db::Transition& done, std::string_view id);

}  // namespace postern
