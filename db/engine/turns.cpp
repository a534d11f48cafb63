#include "db/engine/turns.h"

#include <fmt/format.h>

namespace postern::db {

// Each gap is looked through by itself, up to `most`, since where the first one ends is not known.
// Tenants that are not here are stepped over, by a descent each, and do not count.
std::string turns_sql(std::string_view rows, std::string_view order, int most,
                      std::string_view only_if) {
  return fmt::format(R"sql(
  tenants AS (
    SELECT gap.place, gap.hi, n.here::integer AS number, n.tenant, n.here
      FROM (VALUES (1, $1::text, NULL), (2, '', $1)) AS gap(place, lo, hi) CROSS JOIN LATERAL (
        SELECT s.tenant, s.tenant <> ALL((SELECT postern.resting())::text[]) AS here
          FROM {0} s.tenant > gap.lo ORDER BY s.tenant, {1} LIMIT 1) n WHERE {3}
    UNION ALL
    SELECT t.place, t.hi, t.number + n.here::integer, n.tenant, n.here
      FROM tenants t CROSS JOIN LATERAL (
        SELECT s.tenant, s.tenant <> ALL((SELECT postern.resting())::text[]) AS here
          FROM {0} s.tenant > t.tenant ORDER BY s.tenant, {1} LIMIT 1) n
     WHERE t.number < {2} AND (t.hi IS NULL OR t.tenant < t.hi)),
  turns AS MATERIALIZED (
    SELECT place, tenant FROM tenants WHERE here AND tenant <= coalesce(hi, tenant) ORDER BY place, tenant LIMIT {2}))sql",
                     rows, order, most, only_if);
}

}  // namespace postern::db
