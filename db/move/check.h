// Whether the target has what the source has.
#pragma once

#include <cstdint>

#include "db/move/ends.h"

namespace postern::db {

// Compares the number of rows and the versions of all that is copied in chunks, a section after the
// other, each in one snapshot of the source up to whose changes the target is brought first. It
// takes as long as reading all rows does; nothing waits for it. Throws MoveRefused, with what
// differs. Returns the number of rows compared.
std::int64_t compare_ends(Ends& ends);

}  // namespace postern::db
