#include "db/tasks/failures.h"

#include <fmt/format.h>

#include "db/pg/rows.h"

namespace postern::db {
namespace {

// Along an index, from its end: $2 of a tenant's by their end, or of a queue's by their creation,
// so that what is read does not depend on how many tasks there are. `state <> 'completed'` is the
// condition of the second index. A task does not end before it is made, so $6, which is of its
// creation, bounds its end, too.
constexpr char kOfTenant[] = "state = 'failed' ORDER BY finished_at DESC";
constexpr char kOfQueue[] =
    "queue = $3 AND state = 'failed' AND state <> 'completed' ORDER BY uuid_send(id) DESC";

std::string failures_sql(const char* which) {
  return fmt::format(R"sql(
  WITH looked AS MATERIALIZED (
    SELECT id, queue, endpoint, substring(url FROM '^[a-z]+://([^/?#]+)') AS host, reason, created_at, finished_at,
           left(last_error, 500) AS last_error, row_number() OVER () AS at
      FROM (SELECT * FROM postern.task_finished
             WHERE tenant = $1 AND finished_at >= coalesce($6, '-infinity'::timestamptz) AND {} LIMIT $2 + 1) newest),
  groups AS (
    SELECT reason, queue, endpoint, host, count(*) AS count, min(finished_at) AS first_at, max(finished_at) AS last_at,
           (array_agg(last_error ORDER BY finished_at DESC, id DESC))[1] AS last_error,
           (array_agg(id ORDER BY finished_at DESC, id DESC))[1] AS last_task
      FROM looked
     WHERE at <= $2 AND ($3::text IS NULL OR queue = $3) AND ($4::text IS NULL OR endpoint = $4)
       AND ($5::text IS NULL OR reason = $5)
       AND ($6::timestamptz IS NULL OR created_at >= $6) AND ($7::timestamptz IS NULL OR created_at < $7)
     GROUP BY reason, queue, endpoint, host)
  SELECT s.looked, g.* FROM (SELECT count(*) AS looked FROM looked) s
    LEFT JOIN LATERAL (SELECT * FROM groups ORDER BY count DESC, last_at DESC, reason, queue LIMIT $8 + 1) g ON true)sql",
                     which);
}

// Not prepared: planned with the parameters it has, of which the tenant decides.
const BuiltStatement kFailuresOfTenant{"", failures_sql(kOfTenant)};
const BuiltStatement kFailuresOfQueue{"", failures_sql(kOfQueue)};

}  // namespace

Failures failures(PgConnection& connection, std::string_view tenant, const FailureFilter& filter) {
  Params params;
  params.text(tenant).int8(kFailuresLooked).text_or_null(filter.queue);
  params.text_or_null(filter.endpoint);
  params.text_or_null(filter.reason ? name(*filter.reason) : "");
  params.time(filter.created_since).time(filter.created_until).int8(kFailureGroups);
  const auto rows =
      connection.exec(filter.queue.empty() ? kFailuresOfTenant : kFailuresOfQueue, params);
  Failures out;
  out.looked = rows.integer(0, rows.column("looked"));
  if (out.looked > kFailuresLooked) {
    out.looked = kFailuresLooked;
    out.complete = false;
  }
  const int reason = rows.column("reason"), queue = rows.column("queue"),
            endpoint = rows.column("endpoint"), host = rows.column("host"),
            count = rows.column("count"), first_at = rows.column("first_at"),
            last_at = rows.column("last_at"), last_error = rows.column("last_error"),
            last_task = rows.column("last_task");
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.is_null(i, count)) break;  // no group
    if (i == kFailureGroups) {
      out.complete = false;
      break;
    }
    out.groups.push_back({std::string(rows.text(i, reason)), std::string(rows.text(i, queue)),
                          Value(rows, i, endpoint).text_or_null(),
                          Value(rows, i, host).text_or_null(), rows.integer(i, count),
                          rows.time(i, first_at), rows.time(i, last_at),
                          std::string(rows.text(i, last_error)), rows.uuid(i, last_task)});
  }
  return out;
}

}  // namespace postern::db
