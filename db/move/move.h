// A tenant's move from one cell to another: its rows are copied while all runs, then nothing of it
// is written for a moment, in which the rest is copied and the target takes over, and afterwards
// the source's rows are deleted. See docs/cells.md and ADR 0047.
#pragma once

#include <cstdint>
#include <string>

#include "db/move/call.h"
#include "db/move/ends.h"

namespace postern::db {

// Moves the tenant, or goes on where an earlier call was interrupted, whatever interrupted it.
// Throws MoveRefused and PgError: it can then be called again, on new connections; also when a
// server is not the one, or not of the timeline, or a later one, that the move has met there.
// Before the target took over, that may also be undone. Nothing is deleted at the source unless the
// target's server, and its synchronous standby, have the arrival, without which they would not have
// what was copied before. A source that was fenced is opened again before that is thrown, if the
// target's state can be told; else the tenant's writes stay refused until the next call.
MoveResult move_tenant(Ends& ends, const MoveOptions& options, const MoveTold& told);

// Undoes a move that has not happened yet: the tenant is at the source as before, and nothing of it
// at the target. With `accept` also one whose arrival the target has lost: the tenant is at the
// source with what was not deleted yet. Throws MoveRefused when the target has taken over, or may
// have, or there is no move; and for the servers, as move_tenant does.
void undo_move(Ends& ends, bool accept, const MoveTold& told);

// The same at the source alone, when the target, of the label `cell`, cannot be reached; its rows
// stay there. Throws MoveRefused when the move goes to another cell, or has taken the tenant there;
// and, unless `accept`, when the tenant is fenced: the target may have taken over. Returns whether
// it may. REQUIRES: the connection is a direct one.
bool undo_without_target(PgConnection& source, const std::string& tenant, const std::string& cell,
                         bool accept);

}  // namespace postern::db
