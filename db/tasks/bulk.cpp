#include "db/tasks/bulk.h"

#include <algorithm>

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

// What a sweep goes through, and in which order: that of an index, so that a step reads what it
// looks at and no more. By queue first, as then the counters are taken in one order.
struct Sweep {
  std::string_view table;
  std::string_view which;  // the condition of an index that has few of them
  std::string_view order, place, descending;
};
constexpr Sweep kLive{"task", "true", "queue, uuid_send(id)", "$7, uuid_send($8)",
                      "queue DESC, uuid_send(id) DESC"};
constexpr Sweep kFinished{"task_finished", kLive.which, kLive.order, kLive.place, kLive.descending};
// Those without success, which may be few among many.
constexpr Sweep kEnded{"task_finished", "state <> 'completed'", "queue, state, uuid_send(id)",
                       "$7, $14, uuid_send($8)", "queue DESC, state DESC, uuid_send(id) DESC"};

// `since`: no end of the task is older.
std::string sweep_sql(const Sweep& sweep, std::string_view call, std::string_view since) {
  return fmt::format(R"sql(
  WITH looked AS MATERIALIZED (
    SELECT queue, id, state, tags, endpoint, reason, created_at, {since} AS since FROM postern.{table}
     WHERE tenant = $1 AND {which} AND ($2::text IS NULL OR queue = $2)
       AND ($7::text IS NULL OR ({order}) > ({place}))
     ORDER BY {order} LIMIT 10000),
  chosen AS MATERIALIZED (
    SELECT * FROM looked WHERE state = ANY($3::text[]) AND ($4::text IS NULL OR $4 = ANY(tags))
       AND ($12::text IS NULL OR endpoint = $12) AND ($13::text IS NULL OR reason = $13)
       AND ($5::timestamptz IS NULL OR created_at >= $5)
       AND ($6::timestamptz IS NULL OR created_at < $6) AND created_at <= coalesce($9, now())
     ORDER BY {order} LIMIT $11),
  said AS MATERIALIZED (
    SELECT postern.{call} AS what
      FROM (SELECT c.*
              FROM (SELECT count(*) FROM postern.lock_tasks($1, ARRAY(SELECT id FROM chosen))) AS locked
             CROSS JOIN chosen c ORDER BY {order} OFFSET 0) AS n),
  seen AS (SELECT (SELECT count(*) FROM looked) AS looked, (SELECT count(*) FROM chosen) AS chosen)
  SELECT (SELECT count(*) FROM said WHERE what = 'done') AS done, l.queue, l.state, l.id,
         coalesce($9::timestamptz, now()) AS begun
    FROM seen LEFT JOIN LATERAL (
      SELECT queue, state, id
        FROM (SELECT queue, state, id FROM chosen WHERE seen.chosen = $11
              UNION ALL
              SELECT queue, state, id FROM looked WHERE seen.chosen < $11 AND seen.looked = 10000) u
       ORDER BY {descending} LIMIT 1) l ON true)sql",
                     fmt::arg("since", since), fmt::arg("table", sweep.table),
                     fmt::arg("call", call), fmt::arg("which", sweep.which),
                     fmt::arg("order", sweep.order), fmt::arg("place", sweep.place),
                     fmt::arg("descending", sweep.descending));
}

// Not prepared: planned with the parameters it has, since a plan for any of them would read all
// queues of a tenant to find one.
const BuiltStatement kCancelSweep{
    "", sweep_sql(kLive, "cancel_task($1, id, since, $10)", "created_at - interval '1 day'")};
constexpr char kRetryEnded[] = "retry_task($1, id, since, $10, NULL, $15, $16, $17)";
const BuiltStatement kRetrySweep{"", sweep_sql(kFinished, kRetryEnded, "finished_at")};
const BuiltStatement kRetryEndedSweep{"", sweep_sql(kEnded, kRetryEnded, "finished_at")};

const Statement& sweep_of(BulkVerb verb, const TaskFilter& filter) {
  if (verb == BulkVerb::cancel) return kCancelSweep;
  const auto completed = std::ranges::find(filter.states, State::completed);
  return completed == filter.states.end() ? kRetryEndedSweep : kRetrySweep;
}

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
    out[static_cast<std::size_t>(rows.integer(i, place))] =
        transition_from(Value(rows, i, outcome));
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
  params.uuid(instance).int8(most).text_or_null(filter.endpoint);
  params.text_or_null(filter.reason ? name(*filter.reason) : "");
  params.text_or_null(from ? from->state : "");
  if (verb == BulkVerb::retry) add_retry_rules(params);
  const auto row = connection.exec(sweep_of(verb, filter), params);
  SweepStep step{row.integer(0, row.column("done")), std::nullopt};
  if (const int queue = row.column("queue"); !row.is_null(0, queue)) {
    step.next =
        SweepPlace{std::string(row.text(0, queue)), std::string(row.text(0, row.column("state"))),
                   row.uuid(0, row.column("id")), row.time(0, row.column("begun"))};
  }
  return step;
}

}  // namespace postern::db
