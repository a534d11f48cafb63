// Which process of the server a connection talks to, for when the connection is lost.
#pragma once

#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

struct Backend {
  std::int64_t pid = 0;
  Time started{};
};

Backend backend_of(PgConnection& connection);

// Whether it has ended, as seen by another connection of the same role: then it commits nothing any
// more, and what it has committed is seen by statements that begin after this one. False may mean
// that it cannot be told, as for a connection of PgBouncer's.
bool has_ended(PgConnection& connection, const Backend& backend);

}  // namespace postern::db
