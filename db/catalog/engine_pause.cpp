#include "db/catalog/engine_pause.h"

#include "db/catalog/notices.h"

namespace postern::db {

constexpr Statement kPause{"", R"sql(
  INSERT INTO postern.setting (name, value) VALUES ('paused', $1::text)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value)sql"};
// A schedule's tick and a lane's head are looked at again at once.
constexpr Statement kLookAgain{"", "SELECT pg_notify('postern_ready', $1)"};

void pause_engine(PgConnection& connection, bool paused) {
  connection.exec(kPause, Params().text(paused ? "true" : "false"));
  if (!paused) connection.exec(kLookAgain, Params().text(kLimitsChanged));
}

constexpr Statement kPaused{
    "", "SELECT EXISTS (SELECT FROM postern.setting WHERE name = 'paused' AND value = 'true')"};

bool engine_paused(PgConnection& connection) { return connection.exec(kPaused).boolean(0, 0); }

}  // namespace postern::db
