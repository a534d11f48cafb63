// What a move may rely on after a server was replaced: which servers it works on, and whether the
// tenant's arrival will stay.
#pragma once

#include "core/base/uuid.h"
#include "db/move/ends.h"

namespace postern::db {

// The tenant has arrived by this move. As a standby has a beginning of what its primary has
// committed, a target of which this is true has also all that was copied before.
bool arrived(const EndState& target, const Uuid& id);
// By whichever move that is not over.
bool arrived(const EndState& end);
// The source has given the tenant up, and deletes what it has.
bool has_left(const EndState& source);

// Throws MoveRefused unless what is under way at either end is a move from here to there, of which
// the target may have nothing yet.
void check_is_ours(const Ends& ends, const EndState& source, const EndState& target);
// Throws MoveRefused when the tenant has arrived by a move that the source, which has the tenant,
// does not know: it was restored to before that move.
void refuse_unknown_arrival(const Ends& ends, const EndState& source, const EndState& target);

// Throws MoveRefused when the server at either end is of another system, or of a lower timeline,
// than the one that the other end has noted. A higher timeline is a failover.
void refuse_servers(const Ends& ends, const EndState& source, const EndState& target);

// Throws MoveRefused unless the target has the tenant, by this move. `accept`: the operator has
// looked, should the target not know the move any more.
void check_arrival(Ends& ends, const Uuid& id, bool accept);
// Returns when the target's synchronous standby, if there is one, has what is committed there; it
// waits for it as long as any commit there does. Throws MoveRefused when that wait is cancelled.
void wait_for_target(Ends& ends);
// Both.
void hold_arrival(Ends& ends, const Uuid& id, bool accept);

}  // namespace postern::db
