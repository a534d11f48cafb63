#include "db/engine/deliveries.h"
#include "core/base/headers_json.h"

#include <algorithm>

#include <boost/json.hpp>

#include "core/base/base64.h"
#include "core/wire/attempts.h"
#include "db/engine/counters.h"
#include "db/tasks/rows.h"

namespace postern::db {

// --- claim
// -----------------------------------------------------------------------------------------

// MATERIALIZED, so that the claim never takes more than asked whatever the planner thinks of it.
// SKIP LOCKED shares the lanes with other schedulers. The tenant's secrets come along, so that a
// rotation is in force at once.
// Here and below, batches find their rows by = ANY or LATERAL, never by a plain join: on a table
// that looked small when the plan was made, a join reads the whole table and compares each row with
// the batch (20,000 tasks in a fresh database: 800 webhooks/s instead of 10,000).
// What an attempt takes from its endpoint and queue is decided in here, so that a change to them is
// in force for tasks that wait; the endpoint is the one that allow() saw, which asks the tables
// later than this statement does. asyncjobs knows no timeout but the queue's max_runtime, an hour
// if it has none. The results of other tasks are 16 KiB each, and one claim brings a few hundred of
// them and no more; what is left of the lane is claimed next. An endpoint that took a secret of its
// own has '' for the previous one: the tenant's.
const Statement kClaim{"claim", R"sql(
  WITH allowed AS MATERIALIZED (SELECT * FROM postern.allow($1, $2)),
  picked AS MATERIALIZED (
    SELECT t.id, t.results, w.lane FROM allowed w
     CROSS JOIN LATERAL (
       SELECT id, CASE WHEN load_results THEN coalesce(cardinality(dependencies), 0) ELSE 0 END AS results FROM postern.task
        WHERE lane = w.lane AND state = 'ready'
        ORDER BY priority DESC, run_at, id LIMIT w.free FOR NO KEY UPDATE SKIP LOCKED) t),
  weighed AS (
    SELECT id, lane, results = 0 OR sum(results) OVER (ROWS UNBOUNDED PRECEDING) - results < 256 AS fits FROM picked),
  claimed AS (
    UPDATE postern.task t
       SET state = 'active', attempt = attempt + 1, lease = $3, instance = $4, claimed_at = now(),
           updated_at = now(),
           lease_until = now() + $5 * interval '1 second' + interval '1 millisecond'
             * (SELECT least(coalesce(t.timeout_ms,
                                      CASE t.dialect WHEN 'asyncjobs' THEN coalesce(
                                        (a.target).timeout_ms,
                                        (SELECT a.most_ms FROM postern.queue q
                                          WHERE q.tenant = t.tenant AND q.name = t.queue AND q.max_runtime IS NOT NULL),
                                        3600000) END,
                                      a.default_ms), a.most_ms) FROM allowed a WHERE a.lane = t.lane),
           resolved = CASE WHEN t.endpoint IS NOT NULL
                           THEN (SELECT (a.target).name FROM allowed a WHERE a.lane = t.lane) END
     WHERE t.id = ANY(ARRAY(SELECT id FROM weighed WHERE fits))
    RETURNING t.*)
  SELECT )sql" POSTERN_TASK_SPEC("body") R"sql(,
         lane, attempt, attempt_base, claimed_at, lease_until, deadline < claimed_at, resolved,
         (e.target).url, (e.target).method, (e.target).headers,
         coalesce((e.target).secret, s.secret),
         CASE WHEN (e.target).secret IS NULL THEN s.previous
              WHEN (e.target).previous_until > now() THEN coalesce(nullif((e.target).previous, ''), s.secret) END,
         created_at,
         CASE WHEN load_results THEN (
           SELECT json_agg(json_build_array(f.id, replace(encode(f.result_body, 'base64'), E'\n', ''),
                                            (extract(epoch FROM f.finished_at) * 1000000)::bigint))
             FROM unnest(dependencies) AS d(id)
             JOIN postern.task_finished f ON f.id = d.id AND f.tenant = c.tenant
              AND f.finished_at >= postern.finished_since(d.id) AND f.state = 'completed')::text END,
         held, wait_ms, full_up
    FROM claimed c
    LEFT JOIN (SELECT tenant AS of_tenant, secret,
                      CASE WHEN previous_until > now() THEN previous END AS previous
                 FROM postern.tenant_secret) s ON s.of_tenant = c.tenant
    LEFT JOIN LATERAL (SELECT a.target FROM allowed a WHERE c.endpoint IS NOT NULL AND a.lane = c.lane) e ON true
    FULL JOIN (SELECT w.lane AS held, w.wait_ms, w.full_up FROM allowed w WHERE w.wait_ms IS NOT NULL
               UNION ALL SELECT DISTINCT lane, 1, false FROM weighed WHERE NOT fits) h ON false)sql"};

Params claim_params(std::span<const LaneSlots> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace) {
  Array lane(Oid::int8), free(Oid::int4);
  for (const auto& slots : lanes) {
    lane.int8(slots.lane);
    free.int4(slots.free);
  }
  Params params;
  params.array(lane).array(free).uuid(lease).uuid(instance).int8(grace.count());
  return params;
}

namespace {

// The endpoint says where and how; a header of the task wins over one of the endpoint.
void apply_endpoint(TaskSpec& spec, const PgResult& result, int row, int col) {
  spec.url = result.text(row, col);
  spec.method = result.text(row, col + 1);
  for (auto& header : headers_from_json(result.text(row, col + 2))) {
    const bool given = std::any_of(spec.headers.begin(), spec.headers.end(), [&](const auto& own) {
      return equal_ignoring_case(own.name, header.name);
    });
    if (!given) spec.headers.push_back(std::move(header));
  }
}

std::vector<DependencyResult> results_from(std::string_view json) {
  std::vector<DependencyResult> out;
  const auto rows = boost::json::parse(json);
  for (const auto& each : rows.as_array()) {
    const auto& row = each.as_array();
    const auto id = parse_task_id(row.at(0).as_string());
    if (!id) continue;
    const auto* body = row.at(1).if_string();
    out.push_back({*id, body == nullptr ? std::string() : base64_decode(*body).value_or(""),
                   Time{Microseconds{row.at(2).as_int64()}}});
  }
  return out;
}

}  // namespace

ClaimAnswer claimed_from(const PgResult& result, const Uuid& lease, Seconds grace) {
  ClaimAnswer out;
  out.tasks.reserve(static_cast<std::size_t>(result.rows()));
  constexpr int kHeld = kSpecColumnCount + 14;
  for (int i = 0; i < result.rows(); ++i) {
    if (!result.is_null(i, kHeld)) {
      out.held.push_back({result.integer(i, kHeld), Milliseconds{result.integer(i, kHeld + 1)},
                          result.boolean(i, kHeld + 2)});
      continue;
    }
    Claimed claimed;
    claimed.spec = spec_from(result, i);
    claimed.lease = lease;
    int col = kSpecColumnCount;
    claimed.lane = result.integer(i, col++);
    claimed.attempt = static_cast<int>(result.integer(i, col++));
    claimed.attempt_base = static_cast<int>(result.integer(i, col++));
    claimed.claimed_at = result.time(i, col++);
    claimed.lease_until = result.time(i, col++);
    claimed.spec.timeout =
        std::chrono::round<Milliseconds>(claimed.lease_until - claimed.claimed_at) - grace;
    claimed.past_deadline = !result.is_null(i, col) && result.boolean(i, col);
    ++col;
    if (!result.is_null(i, col)) claimed.resolved = result.text(i, col);
    ++col;
    if (!result.is_null(i, col)) apply_endpoint(claimed.spec, result, i, col);
    col += 3;
    for (const int last = col + 2; col < last; ++col) {
      if (!result.is_null(i, col)) claimed.secrets.emplace_back(result.text(i, col));
    }
    claimed.created_at = result.time(i, col++);
    if (!result.is_null(i, col)) claimed.results = results_from(result.text(i, col));
    out.tasks.push_back(std::move(claimed));
  }
  return out;
}

// --- settle
// ----------------------------------------------------------------------------------------

// One statement, one commit, for all that has gathered: finished rows move, retries get the start
// that core decided, given-back ones lose the attempt they did not use; attempts and endings are
// counted, and what follows from an end is noted. Everything is fenced by the lease, under which
// `mine` locks its rows: nobody can take one away before it is written. A row appears in `r` once,
// so each goes one way only.
const Statement kSettle{"settle", R"sql(
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
      )sql" POSTERN_TASK_MOVED R"sql(,
      state, reason, attempts, last_error, updated_at, finished_at, retention,
      result_code, result_ms, result_headers, result_body)
    SELECT )sql" POSTERN_TASK_MOVED R"sql(,
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
            UNION ALL SELECT '', '', 'duration_' || width_bucket(took_ms - 0.5::float8, )sql" POSTERN_BUCKETS
                                  R"sql(), 1 FROM attempted
            UNION ALL SELECT '', '', 'duration_ms', took_ms FROM attempted
            UNION ALL SELECT '', '', 'lateness_' || width_bucket(late_ms, )sql" POSTERN_BUCKETS
                                  R"sql(), 1 FROM attempted
            UNION ALL SELECT '', '', 'lateness_ms', late_ms::bigint FROM attempted
            UNION ALL SELECT tenant, queue, 'finished_' || to_state, 1 FROM over
            UNION ALL SELECT tenant, queue, unnest(ARRAY['finished_completed', 'retried']), 1 FROM mine WHERE to_state = 'repeat'
            UNION ALL SELECT tenant, queue, 'egress_blocked', 1 FROM over WHERE why = 'egress_denied') events
     GROUP BY tenant, queue, name
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)
  SELECT id, EXISTS (SELECT FROM followed) FROM mine)sql"};

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
  for (int i = 0; i < result.rows(); ++i) {
    out.tasks.push_back(result.uuid(i, 0));
    out.sequels = result.boolean(i, 1);
  }
  return out;
}

// --- tick
// ------------------------------------------------------------------------------------------

// The lanes with ready work by a loose index scan: one index descent per lane, however many tasks.
// Kinds: 0 lane, 1 promoted, 2 microseconds to the next delayed task, 3 unrouted tasks are there,
// 4 sequels are there, 5 microseconds to the next occurrence of a schedule.
const Statement kTick{"tick", R"sql(
  WITH RECURSIVE due AS MATERIALIZED (
    SELECT id FROM postern.task WHERE state = 'delayed' AND run_at <= now()
     ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED),
  promoted AS (
    UPDATE postern.task t SET state = 'ready', updated_at = now()
     WHERE t.id = ANY(ARRAY(SELECT id FROM due))
    RETURNING t.lane),
  lanes AS (
    (SELECT lane FROM postern.task WHERE state = 'ready' AND lane IS NOT NULL
      ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT t.lane FROM postern.task t
             WHERE t.state = 'ready' AND t.lane > lanes.lane ORDER BY t.lane LIMIT 1)
      FROM lanes WHERE lanes.lane IS NOT NULL)
  SELECT 0, lane FROM lanes WHERE lane IS NOT NULL
  UNION
  SELECT 0, lane FROM promoted WHERE lane IS NOT NULL
  UNION ALL
  SELECT 1, count(*) FROM promoted
  UNION ALL
  (SELECT 2, (extract(epoch FROM run_at - clock_timestamp()) * 1000000)::bigint FROM postern.task
    WHERE state = 'delayed' AND run_at > now() ORDER BY run_at LIMIT 1)
  UNION ALL
  (SELECT 3, 1 FROM postern.task WHERE lane IS NULL LIMIT 1)
  UNION ALL
  (SELECT 4, 1 FROM postern.sequel LIMIT 1)
  UNION ALL
  (SELECT 5, (extract(epoch FROM next_at - clock_timestamp()) * 1000000)::bigint FROM postern.schedule
    WHERE NOT paused AND next_at IS NOT NULL ORDER BY next_at LIMIT 1))sql"};

Params tick_params(int limit) {
  Params params;
  params.int8(limit);
  return params;
}

Tick tick_from(const PgResult& result) {
  Tick tick;
  for (int i = 0; i < result.rows(); ++i) {
    const auto value = result.integer(i, 1);
    switch (result.integer(i, 0)) {
      case 0: tick.ready_lanes.push_back(value); break;
      case 1: tick.promoted = static_cast<int>(value); break;
      case 2:
        // Rounded up: a timer that fires before the time is worth nothing.
        tick.next_due = Milliseconds{std::max<std::int64_t>(0, value) / 1000 + 1};
        break;
      case 3: tick.unrouted = true; break;
      case 4: tick.sequels = true; break;
      default: tick.next_occurrence = Milliseconds{std::max<std::int64_t>(0, value + 999) / 1000};
    }
  }
  return tick;
}

// --- rescue
// ----------------------------------------------------------------------------------------

const Statement kOrphans{"orphans", "SELECT " POSTERN_TASK_SPEC("NULL::bytea") R"sql(,
         lease, lane, attempt, attempt_base, claimed_at, lease_until, deadline < now(), instance, gone, deferred
    FROM (SELECT t.*, t.instance = ANY($1) OR t.instance IS NULL
                        OR NOT EXISTS (SELECT FROM postern.instance i WHERE i.id = t.instance) AS gone
            FROM postern.task t WHERE t.state = 'active' AND NOT t.deferred
           UNION ALL
         (SELECT t.*, true FROM postern.task t
           WHERE t.state = 'active' AND t.deferred AND t.lease_until < now()
           ORDER BY t.lease_until LIMIT 500)) active
   WHERE gone OR lease_until < now()
   ORDER BY gone DESC, lease_until LIMIT 500)sql"};

Params orphans_params(std::span<const Uuid> dead) {
  Array ids(Oid::uuid);
  for (const auto& id : dead) ids.uuid(id);
  Params params;
  params.array(ids);
  return params;
}

std::vector<Orphan> orphans_from(const PgResult& result) {
  std::vector<Orphan> out;
  for (int i = 0; i < result.rows(); ++i) {
    Orphan orphan;
    auto& task = orphan.task;
    task.spec = spec_from(result, i);
    int col = kSpecColumnCount;
    task.lease = result.uuid(i, col++);
    task.lane = result.integer_or_null(i, col++).value_or(0);
    task.attempt = static_cast<int>(result.integer(i, col++));
    task.attempt_base = static_cast<int>(result.integer(i, col++));
    task.claimed_at = result.time(i, col++);
    task.lease_until = result.time(i, col++);
    task.past_deadline = !result.is_null(i, col) && result.boolean(i, col);
    ++col;
    if (!result.is_null(i, col)) orphan.instance = result.uuid(i, col);
    orphan.instance_gone = result.boolean(i, ++col);
    task.deferred = result.boolean(i, ++col);
    out.push_back(std::move(orphan));
  }
  return out;
}

}  // namespace postern::db
