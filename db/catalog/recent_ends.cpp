#include "db/catalog/recent_ends.h"

namespace postern::db {
namespace {

// By the index of ids, which begin with the time: no count goes over more than these rows.
constexpr Statement kRecentEnds{"recent_ends", R"sql(
  SELECT count(*), count(*) FILTER (WHERE state = 'failed')
    FROM (SELECT state, finished_at FROM postern.task_finished ORDER BY id DESC LIMIT 1000) newest
   WHERE finished_at > now() - interval '15 minutes')sql"};

// The tenant's own rows of these minutes, by their keys. $1: the tenant.
constexpr Statement kRecentEndsOfTenant{"recent_ends_of_tenant", R"sql(
  SELECT coalesce(sum(completed + failed + cancelled), 0)::bigint, coalesce(sum(failed), 0)::bigint
    FROM postern.queue_minute
   WHERE tenant = $1 AND queue = ''
     AND minute = ANY(ARRAY(SELECT date_trunc('minute', now()) - n * interval '1 minute' FROM generate_series(1, 15) n)))sql"};

}  // namespace

RecentEnds recent_ends(PgConnection& connection, std::string_view tenant) {
  const auto rows = tenant.empty() ? connection.exec(kRecentEnds)
                                   : connection.exec(kRecentEndsOfTenant, Params().text(tenant));
  return {rows.integer(0, 0), rows.integer(0, 1)};
}

}  // namespace postern::db
