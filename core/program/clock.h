// This machine's clock: for signatures, for checks that need no precision, and for what a person
// reads. What is due and what has expired is decided by the database's now().
#pragma once

#include "core/time/time.h"

namespace postern {

Time wall_clock();

}  // namespace postern
