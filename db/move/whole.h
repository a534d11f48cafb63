// The end of the way: what is copied as a whole, because it is little, and with it the arrival.
#pragma once

#include <cstdint>
#include <string>

#include "db/move/ends.h"

namespace postern::db {

// Copies the minutes since `since` again, but for the last two, which still change. Returns up to
// which all is there: what arrive() is to begin with.
std::string copy_minutes(Ends& ends, const std::string& since);

// Forgets all that the target has counted of a tenant that has no rows there yet, as of the first
// task of its setup: what the source has counted in the same minutes has the same keys.
void forget_minutes(Ends& ends);

// The rows that arrive() would copy now.
std::int64_t rows_of_whole(Ends& ends, const std::string& minutes_since);

// Copies queues, endpoints, schedules, keys, secrets, the sums of the counters, sequels and the
// last minutes, and with that, in one transaction at the target, the tenant is here there.
// REQUIRES: the source is fenced, and no changes are noted. Throws MoveRefused when the move was
// undone; PgError (is_busy) when InTime has ended it, and nothing was done.
void arrive(Ends& ends, const Uuid& id, const std::string& minutes_since);

}  // namespace postern::db
