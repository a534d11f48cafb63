// Helpers that make, claim and read tasks in tests with a database.
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

// Inserts tasks as the API does.
Time insert(db::PgConnection& connection, const std::vector<NewTask>& tasks);

// Claims up to `free` tasks of the lane of new_task(queue), as a scheduler does.
std::vector<db::Claimed> claim(db::PgConnection& connection, int free,
                               const std::string& queue = "q", const Uuid& instance = {});

// The task, live or finished; nullopt when it does not exist.
std::optional<Task> read(db::PgConnection& connection, const TaskId& id);

// The sum of a counter over all instances.
std::int64_t counter(db::PgConnection& connection, const std::string& name);

}  // namespace postern::test
