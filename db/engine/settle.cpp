#include "db/engine/settle.h"

#include <fmt/format.h>

#include "core/base/headers_json.h"
#include "core/model/histogram.h"
#include "core/wire/attempts.h"
#include "db/tasks/columns.h"

namespace postern::db {
namespace {

// The buckets that durations and latenesses are counted in, as width_bucket takes them:
// "duration_0" counts what took at most the first bound, "duration_14" what took longer than the
// last. These, and the sums "duration_ms" and "lateness_ms", are kept for all queues together,
// under an empty tenant and queue: with a set for each queue a settle of 64 tasks took 12 % (one
// queue) to 35 % (16 queues) more of the server's CPU time, so it takes 10 %.
std::string bucket_bounds() {
  return fmt::format("ARRAY[{}]::float8[]", fmt::join(kBucketBounds, ","));
}

}  // namespace

// One statement, one commit, for all that has gathered: finished rows move, retries get the start
// that core decided, given-back ones lose the attempt they did not use; attempts and endings are
// counted, and what follows from an end is noted. Everything is fenced by the lease, under which
// `mine` locks its rows: nobody can take one away before it is written. A row appears in `r` once,
// so each goes one way only.
const BuiltStatement kSettle{"settle", R"sql(
  WITH r AS MATERIALIZED (
    SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int8[], $7::text[],
                         $8::text[], $9::int4[], $10::text[], $11::int4[], $12::int4[], $13::text[],
                         $14::bytea[])
      AS r(id, lease, to_state, reason, delay_ms, record, outcome, took_ms, last_error, result_code,
           result_ms, result_headers, result_body)),
  mine AS MATERIALIZED (
    SELECT t.*, CASE WHEN r.to_state = 'completed' AND t.repeat_seconds IS NOT NULL THEN 'repeat' ELSE r.to_state END AS to_state,
           r.reason AS why, r.delay_ms, r.record, r.outcome, r.took_ms,
           r.last_error AS error, r.result_code AS code, r.result_ms AS ms,
           r.result_headers AS answer_headers, r.result_body AS answer
      FROM r CROSS JOIN LATERAL (
        SELECT * FROM postern.task WHERE id = r.id AND lease = r.lease FOR UPDATE) t),
  over AS MATERIALIZED (
    SELECT *, CASE to_state WHEN 'completed' THEN on_complete_url ELSE on_failure_url END AS callback
      FROM mine WHERE to_state IN ('completed', 'failed')),
  again AS MATERIALIZED (
    SELECT id AS task, to_state, record, error,
           CASE to_state WHEN 'repeat' THEN repeat_seconds * 1000 ELSE delay_ms END AS delay_ms FROM mine
     WHERE to_state IN ('delayed', 'ready', 'active', 'repeat')),
  gone AS (
    DELETE FROM postern.task WHERE id = ANY(ARRAY(SELECT id FROM over))),
  moved AS (
    INSERT INTO postern.task_finished (
      )sql" + moved_columns() + R"sql(,
      state, reason, attempts, last_error, updated_at, finished_at, retention,
      result_code, result_ms, result_headers, result_body)
    SELECT )sql" + moved_columns() + R"sql(,
      to_state, why, postern.recorded(attempts, record::jsonb), error,
      now(), now(),
      coalesce((SELECT CASE to_state WHEN 'completed' THEN q.retention_completed ELSE q.retention_failed END
                  FROM postern.queue q WHERE q.tenant = over.tenant AND q.name = over.queue), 'standard'),
      code, ms, answer_headers, answer
    FROM over),
  awaited AS MATERIALIZED (SELECT postern.awaited(ARRAY(SELECT id FROM over)) AS ids),
  followed AS (
    INSERT INTO postern.sequel (task, tenant, queue, key, callback)
    SELECT id, tenant, queue, key, callback IS NOT NULL FROM over
     WHERE key IS NOT NULL OR callback IS NOT NULL OR id = ANY((SELECT ids FROM awaited)::uuid[])
    RETURNING task),
  back AS (
    UPDATE postern.task t
       SET state = CASE WHEN r.to_state = 'active' THEN 'active'
                        WHEN r.to_state IN ('delayed', 'repeat') AND r.delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
           run_at = CASE WHEN r.to_state IN ('delayed', 'repeat') THEN now() + r.delay_ms * interval '1 millisecond'
                         ELSE t.run_at END,
           attempt = CASE WHEN r.to_state = 'ready' THEN t.attempt - 1 ELSE t.attempt END,
           attempt_base = CASE WHEN r.to_state = 'repeat' THEN t.attempt ELSE t.attempt_base END,
           attempts = CASE WHEN r.to_state = 'repeat' THEN jsonb_build_array(r.record::jsonb)
                           ELSE postern.recorded(t.attempts, r.record::jsonb) END,
           last_error = CASE WHEN r.to_state IN ('delayed', 'repeat') THEN r.error ELSE t.last_error END,
           deferred = r.to_state = 'active',
           lease = CASE WHEN r.to_state = 'active' THEN t.lease END,
           lease_until = CASE WHEN r.to_state = 'active' THEN now() + r.delay_ms * interval '1 millisecond' END,
           instance = NULL, updated_at = now()
      FROM again r
     WHERE t.id = ANY(ARRAY(SELECT task FROM again)) AND t.id = r.task),
  attempted AS (
    SELECT tenant, queue, outcome, took_ms, date_part('epoch', claimed_at - run_at) * 1000 AS late_ms
      FROM mine WHERE outcome IS NOT NULL),
  counted AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT $1, tenant, queue, name, sum(n)
      FROM (SELECT tenant, queue, 'attempts_' || outcome AS name, 1 AS n FROM attempted
            UNION ALL SELECT '', '', 'duration_' || width_bucket(took_ms - 0.5::float8, )sql" +
                                           bucket_bounds() + R"sql(), 1 FROM attempted
            UNION ALL SELECT '', '', 'duration_ms', took_ms FROM attempted
            UNION ALL SELECT '', '', 'lateness_' || width_bucket(late_ms, )sql" +
                                           bucket_bounds() + R"sql(), 1 FROM attempted
            UNION ALL SELECT '', '', 'lateness_ms', late_ms::bigint FROM attempted
            UNION ALL SELECT tenant, queue, 'finished_' || to_state, 1 FROM over
            UNION ALL SELECT tenant, queue, unnest(ARRAY['finished_completed', 'retried']), 1 FROM mine WHERE to_state = 'repeat'
            UNION ALL SELECT tenant, queue, 'egress_blocked', 1 FROM over WHERE why = 'egress_denied') events
     GROUP BY tenant, queue, name
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)
  SELECT id, EXISTS (SELECT FROM followed) AS sequels FROM mine)sql"};

Params settle_params(const Uuid& instance, std::span<const Settlement> batch) {
  Array id(Oid::uuid), lease(Oid::uuid), state(Oid::text), reason(Oid::text), delay(Oid::int8),
      record(Oid::text), outcome(Oid::text), took(Oid::int4), last_error(Oid::text),
      code(Oid::int4), ms(Oid::int4), headers(Oid::text), body(Oid::bytea);
  for (const auto& s : batch) {
    id.uuid(s.id);
    lease.uuid(s.lease);
    state.text(name(s.state));
    reason.text(name(s.reason));
    delay.int8(s.delay.count());
    s.attempt ? record.text(attempt_json(*s.attempt)) : record.null();
    s.attempt ? outcome.text(s.attempt->status) : outcome.null();
    took.int4(s.attempt ? int4_ms(s.attempt->duration) : 0);
    last_error.text_or_null(s.last_error);
    if (s.result) {
      code.int4(s.result->status);
      ms.int4(int4_ms(s.result->duration));
      headers.text_or_null(headers_json(s.result->headers));
      body.text(s.result->body);
    } else {
      code.null();
      ms.null();
      headers.null();
      body.null();
    }
  }
  Params params;
  params.uuid(instance);
  for (const auto* column : {&id, &lease, &state, &reason, &delay, &record, &outcome, &took,
                             &last_error, &code, &ms, &headers, &body}) {
    params.array(*column);
  }
  return params;
}

Settled settled_from(const PgResult& result) {
  Settled out;
  out.tasks.reserve(static_cast<std::size_t>(result.rows()));
  const int id = result.column("id"), sequels = result.column("sequels");
  for (int i = 0; i < result.rows(); ++i) {
    out.tasks.push_back(result.uuid(i, id));
    out.sequels = result.boolean(i, sequels);
  }
  return out;
}

}  // namespace postern::db
