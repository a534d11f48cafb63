// The end of a move that only the other cell remembers: this one was restored from a backup that is
// older, and has the tenant again.
#pragma once

#include <cstdint>

#include "db/move/move.h"

namespace postern::db {

// Fences the tenant at the source, has it lead to the target, as after a move, and deletes its rows
// there, whatever they are. A move from here by which it has arrived at the target is ended with
// that. Returns how many rows; calling it again goes on. Throws PgError, and MoveRefused unless the
// target has the tenant, as its synchronous standby has, and no other move of it is under way
// there; for the servers, as move_tenant does; and, unless `accept`, when the target has no move
// that says that it has arrived, and no rows of it, or a tenant that was made at another time.
// `accept` also gives up an arrival here that the other cell, where the tenant came from, has
// undone alone.
std::int64_t forget_tenant(Ends& ends, bool accept, const MoveTold& told);

}  // namespace postern::db
