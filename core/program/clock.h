// Clocks of the day: this machine's, for signatures, tokens and times shown to people, and the
// database's as far as it is known here. The database's now() decides what is due and what has
// expired.
#pragma once

#include "core/time/time.h"

namespace postern {

// This machine's.
Time wall_clock();

// What the database's clock shows, give or take a second: for what is compared or sorted with its
// times, as ids are. This machine's until compare_clocks was called. Thread-safe.
Time database_clock();

// `there` is what the database's clock showed between two looks at this machine's. Looks that are
// more than half a second apart say nothing: false then. Each program calls it with each beat,
// since either clock may be set. Thread-safe.
bool compare_clocks(Time before, Time there, Time after);

}  // namespace postern
