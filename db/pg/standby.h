// What a standby has of what was committed.
#pragma once

#include "db/pg/connection.h"

namespace postern::db {

// Commits nothing, and waits for that as for any commit: the synchronous standby, if there is one,
// has then all that was committed before, on whatever connection. False: the wait was cut short, so
// that nothing is known. Throws PgError.
bool wait_for_standby(PgConnection& connection);

}  // namespace postern::db
