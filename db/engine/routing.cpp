#include "db/engine/routing.h"

#include "db/tasks/columns.h"

namespace postern::db {

const BuiltStatement kUnrouted{"unrouted", "SELECT " + task_columns(Body::left_out) + R"sql(
   FROM postern.task WHERE lane IS NULL ORDER BY id LIMIT $1)sql"};

Params unrouted_params(int most) {
  Params params;
  params.int8(most);
  return params;
}

std::vector<Task> unrouted_from(const PgResult& result) {
  std::vector<Task> out;
  const TaskReader read(result);
  out.reserve(static_cast<std::size_t>(result.rows()));
  for (int i = 0; i < result.rows(); ++i) out.push_back(read(i));
  return out;
}

// Queues that are new, then the tasks. Another scheduler may route the same tasks at the
// same time: whoever comes second changes and counts nothing. What is locked by somebody else is
// left for the next time, since it may wait for one of the others here. One that core refuses ends
// as failed, never silently.
const BuiltStatement kRoute{
    "route",
    R"sql(
  WITH r AS MATERIALIZED (
    SELECT r.*, t.at FROM unnest($2::uuid[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
             AS r(id, lane, url, tenant, queue, reason, invalid)
     CROSS JOIN LATERAL (
       SELECT t.ctid AS at FROM postern.task t WHERE t.id = r.id AND t.lane IS NULL FOR UPDATE SKIP LOCKED) t),
  queues AS (
    INSERT INTO postern.queue (tenant, name)
    SELECT DISTINCT tenant, queue FROM r WHERE invalid IS NULL ON CONFLICT DO NOTHING),
  routed AS (
    UPDATE postern.task t SET lane = r.lane, url = r.url FROM r
     WHERE t.ctid = r.at AND t.id = r.id AND t.lane IS NULL AND r.invalid IS NULL
    RETURNING t.tenant, t.queue),
  refused AS (
    DELETE FROM postern.task t USING r
     WHERE t.ctid = r.at AND t.id = r.id AND t.lane IS NULL AND r.invalid IS NOT NULL
    RETURNING t.*, r.reason AS why, r.invalid),
  moved AS (
    INSERT INTO postern.task_finished (
      )sql" +
        moved_columns() + R"sql(, attempts, state, reason, last_error, updated_at, finished_at)
    SELECT )sql" +
        moved_columns() +
        R"sql(, attempts, 'failed', why, invalid, now(), now() FROM refused),
  counted AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT $1, tenant, queue, name, count(*)
      FROM (SELECT tenant, queue, 'created' AS name FROM routed
            UNION ALL SELECT tenant, queue, unnest(ARRAY['created', 'finished_failed']) FROM refused) events
     GROUP BY tenant, queue, name
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)
  SELECT count(*) FROM routed)sql"};

Params route_params(const Uuid& instance, std::span<const Routing> batch) {
  Array id(Oid::uuid), lane(Oid::int8), url(Oid::text), tenant(Oid::text), queue(Oid::text),
      reason(Oid::text), invalid(Oid::text);
  for (const auto& r : batch) {
    id.uuid(r.id);
    lane.int8(r.lane);
    url.text(r.url);
    tenant.text(r.tenant);
    queue.text(r.queue);
    reason.text(name(r.reason));
    invalid.text_or_null(r.invalid);
  }
  Params params;
  params.uuid(instance);
  for (const auto* column : {&id, &lane, &url, &tenant, &queue, &reason, &invalid}) {
    params.array(*column);
  }
  return params;
}

}  // namespace postern::db
