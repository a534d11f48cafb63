#include "db/catalog/pauses.h"

#include "core/model/queue.h"

namespace postern::db {
namespace {

// The rows without a tenant are the numbers. $1: the sandbox queue, $2: how many of a kind.
constexpr Statement kPauses{"pauses", R"sql(
  SELECT * FROM (
    (SELECT 'q' AS kind, tenant, name, 0::int8 AS count FROM postern.queue WHERE paused AND name <> $1 ORDER BY tenant, name LIMIT $2)
    UNION ALL
    (SELECT 'e', tenant, name, 0 FROM postern.endpoint WHERE paused ORDER BY tenant, name LIMIT $2)
    UNION ALL
    (SELECT 's', tenant, name, 0 FROM postern.schedule WHERE paused ORDER BY tenant, name LIMIT $2)
    UNION ALL SELECT 'q', NULL, NULL, count(*) FROM postern.queue WHERE paused AND name <> $1
    UNION ALL SELECT 'e', NULL, NULL, count(*) FROM postern.endpoint WHERE paused
    UNION ALL SELECT 's', NULL, NULL, count(*) FROM postern.schedule WHERE paused) p
   ORDER BY kind, tenant, name)sql"};

}  // namespace

Pauses pauses(PgConnection& connection) {
  Pauses out;
  const auto rows = connection.exec(kPauses, Params().text(kSandboxQueue).int8(kMostPaused));
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
