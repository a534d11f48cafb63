// Where a task goes that came in by SQL.
#pragma once

#include "core/model/task.h"
#include "db/engine/routing.h"

namespace postern::scheduler {

// What core finds of it: where it goes, or what is wrong with it. Pure.
db::Routing routing_of(const Task& task);

}  // namespace postern::scheduler
