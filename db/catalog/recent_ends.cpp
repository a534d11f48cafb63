#include "db/catalog/recent_ends.h"

namespace postern::db {
namespace {

// By the index of ids, which begin with the time: no count goes over more than these rows.
constexpr Statement kRecentEnds{"recent_ends", R"sql(
  SELECT count(*), count(*) FILTER (WHERE state = 'failed')
    FROM (SELECT state, finished_at FROM postern.task_finished ORDER BY id DESC LIMIT 1000) newest
   WHERE finished_at > now() - interval '15 minutes')sql"};

}  // namespace

RecentEnds recent_ends(PgConnection& connection) {
  const auto rows = connection.exec(kRecentEnds);
  return {rows.integer(0, 0), rows.integer(0, 1)};
}

}  // namespace postern::db
