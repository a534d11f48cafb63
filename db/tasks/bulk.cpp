#include "db/tasks/bulk.h"

#include <fmt/format.h>

#include "db/pg/rows.h"
#include "db/tasks/dialects.h"
#include "db/tasks/transition.h"

namespace postern::db {
namespace {

// Rows are locked before any counter, and counters taken in the order of their queues: see
// lock_tasks.
std::string each_sql(std::string_view call) {
  return fmt::format(R"sql(
  SELECT n.at, postern.{} AS outcome
    FROM (SELECT a.* FROM unnest($3::int4[], $4::uuid[], $5::timestamptz[]) AS a(at, id, since)
            LEFT JOIN postern.lock_tasks($1, $4) AS l ON l.task = a.id
           ORDER BY l.of_queue, a.id, a.at OFFSET 0) AS n)sql",
                     call);
}

const BuiltStatement kCancelEach{"cancel_each", each_sql("cancel_task($1, n.id, n.since, $2)")};
const BuiltStatement kRetryEach{"retry_each",
                                each_sql("retry_task($1, n.id, n.since, $2, $6, $7, $8, $9)")};

// Along the index of (tenant, queue, id), so that a step reads what it looks at and no more. By
// queue first, as then the counters are taken in one order. `since`: no end of the task is older.
std::string sweep_sql(std::string_view table, std::string_view call, std::string_view since,
                      std::string_view endpoint) {
  return fmt::format(R"sql(
  WITH looked AS MATERIALIZED (
    SELECT queue, id, state, tags, endpoint, created_at, {since} AS since FROM postern.{table}
     WHERE tenant = $1 AND ($2::text IS NULL OR queue = $2)
       AND ($7::text IS NULL OR (queue, uuid_send(id)) > ($7, uuid_send($8)))
     ORDER BY queue, uuid_send(id) LIMIT 10000),
  chosen AS MATERIALIZED (
    SELECT * FROM looked WHERE state = ANY($3::text[]) AND ($4::text IS NULL OR $4 = ANY(tags))
       AND ({endpoint}::text IS NULL OR endpoint = {endpoint})
       AND ($5::timestamptz IS NULL OR created_at >= $5)
       AND ($6::timestamptz IS NULL OR created_at < $6) AND created_at <= coalesce($9, now())
     ORDER BY queue, uuid_send(id) LIMIT $11),
  said AS MATERIALIZED (
    SELECT postern.{call} AS what
      FROM (SELECT c.*
              FROM (SELECT count(*) FROM postern.lock_tasks($1, ARRAY(SELECT id FROM chosen))) AS locked
             CROSS JOIN chosen c ORDER BY c.queue, uuid_send(c.id) OFFSET 0) AS n),
  seen AS (SELECT (SELECT count(*) FROM looked) AS looked, (SELECT count(*) FROM chosen) AS chosen)
  SELECT (SELECT count(*) FROM said WHERE what = 'done') AS done, l.queue, l.id,
         coalesce($9::timestamptz, now()) AS begun
    FROM seen LEFT JOIN LATERAL (
      SELECT queue, id FROM (SELECT queue, id FROM chosen WHERE seen.chosen = $11
                             UNION ALL
                             SELECT queue, id FROM looked WHERE seen.chosen < $11 AND seen.looked = 10000) u
       ORDER BY queue DESC, uuid_send(id) DESC LIMIT 1) l ON true)sql",
                     fmt::arg("since", since), fmt::arg("table", table), fmt::arg("call", call),
                     fmt::arg("endpoint", endpoint));
}

// Not prepared: planned with the parameters it has, since a plan for any of them would read all
// queues of a tenant to find one.
const BuiltStatement kCancelSweep{"", sweep_sql("task", "cancel_task($1, id, since, $10)",
                                                "created_at - interval '1 day'", "$12")};
const BuiltStatement kRetrySweep{
    "", sweep_sql("task_finished", "retry_task($1, id, since, $10, NULL, $12, $13, $14)",
                  "finished_at", "$15")};

}  // namespace

std::vector<Transition> transit_each(PgConnection& connection, BulkVerb verb,
                                     std::string_view tenant, std::span<const TaskId> ids,
                                     const Uuid& instance, Rules rules) {
  std::vector<Transition> out(ids.size());
  if (ids.empty()) return out;
  Array at(Oid::int4), uuids(Oid::uuid), since(Oid::timestamptz);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    at.int4(static_cast<std::int32_t>(i));
    uuids.uuid(ids[i]);
    since.time(not_finished_before(ids[i]));
  }
  Params params;
  params.text(tenant).uuid(instance).array(at).array(uuids).array(since);
  if (verb == BulkVerb::retry) {
    params.text_or_null(rules ? name(*rules) : "");
    add_retry_rules(params);
  }
  const auto rows = connection.exec(verb == BulkVerb::cancel ? kCancelEach : kRetryEach, params);
  const int place = rows.column("at"), outcome = rows.column("outcome");
  for (int i = 0; i < rows.rows(); ++i) {
    out[static_cast<std::size_t>(rows.integer(i, place))] = transition_from(Cell(rows, i, outcome));
  }
  return out;
}

SweepStep sweep(PgConnection& connection, BulkVerb verb, std::string_view tenant,
                const TaskFilter& filter, const std::optional<SweepPlace>& from,
                const Uuid& instance, int most) {
  Params params;
  Array states(Oid::text);
  for (const State state : filter.states) states.text(name(state));
  params.text(tenant).text_or_null(filter.queue).array(states).text_or_null(filter.tag);
  params.time(filter.created_since).time(filter.created_until);
  if (from) {
    params.text(from->queue).uuid(from->id).time(from->begun);
  } else {
    params.null(Oid::text).null(Oid::uuid).null(Oid::timestamptz);
  }
  params.uuid(instance).int8(most);
  if (verb == BulkVerb::retry) add_retry_rules(params);
  params.text_or_null(filter.endpoint);
  const auto row = connection.exec(verb == BulkVerb::cancel ? kCancelSweep : kRetrySweep, params);
  SweepStep step{row.integer(0, row.column("done")), std::nullopt};
  if (const int queue = row.column("queue"); !row.is_null(0, queue)) {
    step.next = SweepPlace{std::string(row.text(0, queue)), row.uuid(0, row.column("id")),
                           row.time(0, row.column("begun"))};
  }
  return step;
}

}  // namespace postern::db
