#include "db/engine/backend.h"

namespace postern::db {
namespace {

constexpr Statement kBackend{"", R"sql(
  SELECT pid::int8, coalesce(backend_start, '-infinity') FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid())sql"};

// The server takes a process out of this view when it ends, after its transaction. One whose start
// is hidden is another role's, and may be anybody's. The number alone is given to others later.
constexpr Statement kEnded{"", R"sql(
  SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity
                      WHERE pid = $1 AND coalesce(backend_start, $2) = $2))sql"};

}  // namespace

Backend backend_of(PgConnection& connection) {
  const auto row = connection.exec(kBackend);
  return {row.integer(0, 0), row.time(0, 1)};
}

bool has_ended(PgConnection& connection, const Backend& backend) {
  return connection.exec(kEnded, Params().int8(backend.pid).time(backend.started)).boolean(0, 0);
}

}  // namespace postern::db
