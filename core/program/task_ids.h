// New task ids, by this machine's clock.
#pragma once

#include "core/model/ids.h"

namespace postern {

// The id of a task made now. Sorts after those this process made before, also those of the same
// microsecond; not when the clock was set back by more than a second. Thread-safe.
TaskId new_task_id();

}  // namespace postern
