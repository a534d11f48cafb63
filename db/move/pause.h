// The moment of a move in which nothing of the tenant is written, and what leads to it.
#pragma once

#include <chrono>
#include <string>

#include "core/base/uuid.h"
#include "db/catalog/placement.h"
#include "db/move/call.h"
#include "db/move/ends.h"

namespace postern::db {

// Until every handler knows a state that has been committed, and has ended the requests that did
// not.
inline constexpr Milliseconds kHandlersKnow = kPlacementsTrusted + Milliseconds{500};

// The source goes on, unless the target has taken over: false. What the target is at is looked at
// anew, since a commit there may have been answered to nobody.
bool open_again(Ends& ends, const Uuid& id);

// Throws MoveRefused when the tenant has more of what is copied as a whole in the pause, with the
// minutes since that time ("now", "2026-01-02 03:04:00+00"), than that is long enough for.
void refuse_many_whole(Ends& ends, const std::string& minutes_since);

// Until what is left of changes is little; in so many rounds, whether or not it gets less. Throws
// MoveRefused when there are too many for that.
void catch_up_rounds(Ends& ends, const MoveTold& told);

// Waits for attempts under way, and then refuses the tenant's writes while the rest is copied, with
// which the target takes over. A pause that takes too long is ended, and tried again some times.
// Throws MoveRefused, PgError, and whatever else comes up, with the source open again if that can
// be.
void pause_and_switch(MoveCall& call);

}  // namespace postern::db
