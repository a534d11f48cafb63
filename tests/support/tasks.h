// Short ways to tasks for tests against a database.
#pragma once

#include <string>
#include <vector>

#include "core/model/lane.h"
#include "core/model/task.h"
#include "db/engine/claim.h"
#include "db/tasks/tasks.h"

namespace postern::test {

// A task of the tenant "default" to http://receiver.test/, ready at once. Its id carries the
// present time.
NewTask new_task(const std::string& queue = "q");

std::int64_t lane_of(const NewTask& task);

// Inserts them as a handler would.
Time insert(db::PgConnection& connection, const std::vector<NewTask>& tasks);

// Claims up to `free` of the lane of new_task(queue), as a scheduler would.
std::vector<db::Claimed> claim(db::PgConnection& connection, int free,
                               const std::string& queue = "q", const Uuid& instance = {});

// What became of the task; an empty optional when it is not there.
std::optional<Task> read(db::PgConnection& connection, const TaskId& id);

// The sum of a counter over all instances.
std::int64_t counter(db::PgConnection& connection, const std::string& name);

}  // namespace postern::test
