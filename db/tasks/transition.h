// What the definer functions that change a task answer: 'done', the state that forbids it, or NULL
// when there is no such task.
#pragma once

#include "db/pg/rows.h"
#include "db/tasks/tasks.h"

namespace postern::db {

Transition transition_from(const Value& outcome);

}  // namespace postern::db
