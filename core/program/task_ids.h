// New task ids, by the database's clock.
#pragma once

#include "core/model/ids.h"

namespace postern {

// The id of a task made now. It sorts after all ids that this process made before, even within one
// microsecond, unless the clock was set back by more than a second. Thread-safe.
TaskId new_task_id();

}  // namespace postern
