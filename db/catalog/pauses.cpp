#include "db/catalog/pauses.h"

#include "core/model/queue.h"

namespace postern::db {
namespace {

// The rows without a tenant are the numbers. $1: the sandbox queue, $2: how many of a kind, $3: the
// tenant, empty: all. Not prepared, here and where else a tenant may be none: each of the two has a
// plan of its own.
constexpr Statement kPauses{"", R"sql(
  WITH q AS (SELECT tenant, name FROM postern.queue WHERE paused AND name <> $1 AND ($3 = '' OR tenant = $3)),
       e AS (SELECT tenant, name FROM postern.endpoint WHERE paused AND ($3 = '' OR tenant = $3)),
       s AS (SELECT tenant, name FROM postern.schedule WHERE paused AND ($3 = '' OR tenant = $3))
  SELECT * FROM (
    (SELECT 'q' AS kind, tenant, name, 0::int8 AS count FROM q ORDER BY tenant, name LIMIT $2)
    UNION ALL (SELECT 'e', tenant, name, 0 FROM e ORDER BY tenant, name LIMIT $2)
    UNION ALL (SELECT 's', tenant, name, 0 FROM s ORDER BY tenant, name LIMIT $2)
    UNION ALL SELECT 'q', NULL, NULL, count(*) FROM q
    UNION ALL SELECT 'e', NULL, NULL, count(*) FROM e
    UNION ALL SELECT 's', NULL, NULL, count(*) FROM s) p
   ORDER BY kind, tenant, name)sql"};

}  // namespace

Pauses pauses(PgConnection& connection, std::string_view tenant) {
  Pauses out;
  const auto rows =
      connection.exec(kPauses, Params().text(kSandboxQueue).int8(kMostPaused).text(tenant));
  for (int i = 0; i < rows.rows(); ++i) {
    const auto kind = rows.text(i, 0);
    PausedThings& things = kind == "q" ? out.queues : kind == "e" ? out.endpoints : out.schedules;
    if (rows.is_null(i, 1)) {
      things.count = rows.integer(i, 3);
    } else {
      things.first.push_back({std::string(rows.text(i, 1)), std::string(rows.text(i, 2))});
    }
  }
  return out;
}

}  // namespace postern::db
