// Random 128-bit tokens: leases and instances. They share their representation with task ids.
#pragma once

#include "core/ids.h"

namespace postern {

using Uuid = TaskId;

// A version 4 UUID from the operating system's generator. Thread-safe.
Uuid random_uuid();

}  // namespace postern
