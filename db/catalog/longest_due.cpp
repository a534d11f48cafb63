#include "db/catalog/longest_due.h"

namespace postern::db {
namespace {

// $1: the tenant, empty: all.
constexpr Statement kLongestDue{"", R"sql(
  SELECT tenant, queue, extract(epoch FROM now() - oldest_due)::float8 FROM postern.queue_gauge
   WHERE oldest_due < now() AND ($1 = '' OR tenant = $1) AND tenant <> ALL((SELECT postern.resting())::text[])
   ORDER BY oldest_due LIMIT 1)sql"};

}  // namespace

std::optional<LongestDue> longest_due(PgConnection& connection, std::string_view tenant) {
  const auto rows = connection.exec(kLongestDue, Params().text(tenant));
  if (rows.rows() == 0) return std::nullopt;
  return LongestDue{std::string(rows.text(0, 0)), std::string(rows.text(0, 1)), rows.float8(0, 2)};
}

}  // namespace postern::db
