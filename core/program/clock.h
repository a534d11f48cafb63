// This machine's clock: for signatures, checks that need no precision, and times shown to people.
// The database's now() decides what is due and what has expired.
#pragma once

#include "core/time/time.h"

namespace postern {

Time wall_clock();

}  // namespace postern
