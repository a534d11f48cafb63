// Which task a client means, and what it is told about one that is not there, or is in the wrong
// state for what it asks.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/model/ids.h"
#include "db/pg/pool.h"
#include "db/tasks/tasks.h"

namespace postern {

// The task that `id` spells in any dialect. Integers are looked up, the others are read: it
// need not be there. nullopt: it spells none. Throws PgError.
std::optional<TaskId> known_task(db::Pool& pool, std::string_view tenant, std::string_view id);

// `id` as the client spelled it, here and below.
Error no_such_task(std::string_view id);

// The conflict of a task that is in `state`.
Error wrong_state(State state);

// Whether the transition took place; else `task_not_found`, or the conflict.
Result<void> allowed(const db::Transition& done, std::string_view id);

}  // namespace postern
