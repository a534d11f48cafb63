// How tasks have ended lately, for a look from time to time. Blocks; throws PgError when the
// database does not play along.
#pragma once

#include <cstdint>

#include "db/pg/connection.h"

namespace postern::db {

struct RecentEnds {
  std::int64_t ended = 0, failed = 0;
};

// Of the 1,000 newest tasks that have ended, of all tenants: those that ended within 15 minutes.
RecentEnds recent_ends(PgConnection& connection);

}  // namespace postern::db
