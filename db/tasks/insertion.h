// New tasks as rows: the statement that inserts a batch, in one piece for all who make tasks (the
// intake, a schedule's occurrence, a callback).
#pragma once

#include <string>
#include <string_view>

#include "db/tasks/columns.h"

namespace postern::db {

// The CTEs that insert the tasks of a batch for which `where` (of `n`, with the columns that are
// sent) is true, count them, and note what has to be seen to: a task that waits for others or for
// its key's turn is `blocked` until a scheduler has looked. $1 is the instance that counts them;
// the parameters of add_batch begin with $`first` and are the statement's last ones. `made` has the
// new rows' id, tenant, queue, lane and state.
std::string insertion_sql(std::string_view where, int first);

// A scalar subquery that tells the schedulers about `made`. A notification holds at most 8,000
// bytes; an empty one means "look yourself".
extern const char kTellSchedulers[];

}  // namespace postern::db
