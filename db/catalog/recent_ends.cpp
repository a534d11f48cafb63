#include "db/catalog/recent_ends.h"

namespace postern::db {
namespace {

// By the index of ids, which begin with the time: no count goes over more than these rows.
constexpr Statement kRecentEnds{"recent_ends", R"sql(
  SELECT count(*), count(*) FILTER (WHERE state = 'failed')
    FROM (SELECT state, finished_at FROM postern.task_finished ORDER BY id DESC LIMIT 1000) newest
   WHERE finished_at > now() - interval '15 minutes')sql"};

// Others' rows are walked over, so there is an end to them, too. $1: the tenant.
constexpr Statement kRecentEndsOfTenant{"recent_ends_of_tenant", R"sql(
  SELECT count(*), count(*) FILTER (WHERE state = 'failed')
    FROM (SELECT state, finished_at
            FROM (SELECT tenant, state, finished_at FROM postern.task_finished ORDER BY id DESC LIMIT 10000) newest
           WHERE tenant = $1 LIMIT 1000) own
   WHERE finished_at > now() - interval '15 minutes')sql"};

}  // namespace

RecentEnds recent_ends(PgConnection& connection, std::string_view tenant) {
  const auto rows = tenant.empty() ? connection.exec(kRecentEnds)
                                   : connection.exec(kRecentEndsOfTenant, Params().text(tenant));
  return {rows.integer(0, 0), rows.integer(0, 1)};
}

}  // namespace postern::db
