// Ids as they are made: random 128-bit tokens (leases, instances) and new task ids, which share
// their representation.
#pragma once

#include "core/ids.h"

namespace postern {

using Uuid = TaskId;

// A version 4 UUID from the operating system's generator. Thread-safe.
Uuid random_uuid();

// The id of a task made now in `shard`. Sorts after those this process made before, also those of
// the same microsecond; not when the clock was set back by more than a second. Thread-safe.
// REQUIRES: 0 <= shard < 4096.
TaskId new_task_id(int shard);

}  // namespace postern
