// What the tasks were answered that another one depends on.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

// Those of `tasks` that completed and are still there.
std::vector<DependencyResult> dependency_results(PgConnection& connection, std::string_view tenant,
                                                 std::span<const TaskId> tasks);

// Reads what postern.results_of returns.
std::vector<DependencyResult> dependency_results_from(std::string_view json);

}  // namespace postern::db
