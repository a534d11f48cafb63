#include "db/engine/settle.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <fmt/format.h>

#include "core/base/headers_json.h"
#include "core/model/lane.h"
#include "core/wire/attempts.h"
#include "db/tasks/columns.h"

namespace postern::db {
// One statement, one commit, for all that has gathered. Whoever's lease a settlement names gives it
// up (`freed`) or defers it (`held`), and nothing happens for one whose lease is another now: that
// is the fence. Nor does anything for a tenant that is fenced, on its way to another cell; these
// are told (`kept`), since it may stay. Finished rows move, retries get the start that core
// decided; a task that is given back needs nothing more, since its row was not touched by the
// claim. Attempts and endings are counted, and what follows from an end is noted. Leases and tasks
// are found by id first and then taken by their place, because a join might scan the whole table. A
// row that somebody updates meanwhile is not at its place any more and is left alone; but nobody
// else updates a task that is leased, and of leases only a deferred one is extended, which is then
// not over yet. A row appears in `r` once, so each goes one way only; they come in the order of
// their ids, in which all who lock several tasks do.
const BuiltStatement kSettle{"settle", R"sql(
  WITH r AS MATERIALIZED (
    SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int8[], $7::json[],
                         $8::text[], $9::text[], $10::int4[], $11::int4[], $12::text[], $13::bytea[])
      AS r(id, lease, to_state, reason, delay_ms, record, outcome, last_error, result_code,
           result_ms, result_headers, result_body)),
  leased AS MATERIALIZED (
    SELECT r.*, place, kept FROM r CROSS JOIN LATERAL (
      SELECT l.ctid AS place, l.tenant = ANY((SELECT postern.fenced())::text[]) AS kept
        FROM postern.lease l WHERE l.task = r.id AND l.lease = r.lease OFFSET 0) l),
  freed AS MATERIALIZED (
    DELETE FROM postern.lease l USING leased r
     WHERE l.ctid = r.place AND l.task = r.id AND l.lease = r.lease AND r.to_state <> 'active' AND NOT r.kept
    RETURNING r.*, l.claimed_at, l.resolved, l.tenant, l.queue),
  held AS (
    UPDATE postern.lease l
       SET deferred = true, instance = NULL, until = now() + r.delay_ms * interval '1 millisecond'
      FROM leased r
     WHERE l.ctid = r.place AND l.task = r.id AND l.lease = r.lease AND r.to_state = 'active' AND NOT r.kept
    RETURNING l.task),
  found AS MATERIALIZED (
    SELECT f.*, at FROM freed f CROSS JOIN LATERAL (
      SELECT t.ctid AS at FROM postern.task t WHERE t.id = f.id AND f.to_state <> 'ready' OFFSET 0) t),
  over AS MATERIALIZED (
    DELETE FROM postern.task t USING found f
     WHERE t.ctid = f.at AND t.id = f.id AND f.to_state IN ('completed', 'failed')
    RETURNING t.*, f.lease AS ended_lease, f.claimed_at AS begun_at, f.resolved AS went_to, f.to_state, f.reason AS why, f.record,
              f.last_error AS error, f.result_code AS code, f.result_ms AS ms, f.result_headers AS answer_headers,
              f.result_body AS answer,
              CASE f.to_state WHEN 'completed' THEN t.on_complete_url ELSE t.on_failure_url END AS callback),
  moved AS (
    INSERT INTO postern.task_finished (
      )sql" + moved_columns() + R"sql(,
      lease, attempt, claimed_at, resolved, state, reason, attempts, last_error, updated_at, finished_at, retention,
      result_code, result_ms, result_headers, result_body)
    SELECT )sql" + moved_columns() + R"sql(,
      ended_lease, attempt + 1, begun_at, went_to, to_state, why, postern.recorded(attempts, record), error,
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
  again AS (
    UPDATE postern.task t
       SET state = CASE WHEN f.delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
           run_at = now() + f.delay_ms * interval '1 millisecond',
           attempt = t.attempt + 1,
           attempt_base = CASE WHEN f.to_state = 'repeat' THEN t.attempt + 1 ELSE t.attempt_base END,
           attempts = CASE WHEN f.to_state = 'repeat' THEN json_build_array(f.record)
                           ELSE postern.recorded(t.attempts, f.record) END,
           last_error = f.last_error, claimed_at = f.claimed_at, resolved = f.resolved, updated_at = now()
      FROM found f WHERE t.ctid = f.at AND t.id = f.id AND f.to_state IN ('delayed', 'repeat')),
  counted AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT $1, tenant, queue, name, count(*)
      FROM (SELECT tenant, queue, 'attempts_' || outcome AS name FROM freed WHERE outcome IS NOT NULL
            UNION ALL SELECT tenant, queue, 'finished_' || to_state FROM over
            UNION ALL SELECT tenant, queue, unnest(ARRAY['finished_completed', 'retried']) FROM freed WHERE to_state = 'repeat'
            UNION ALL SELECT tenant, queue, CASE why WHEN 'egress_denied' THEN 'egress_blocked' ELSE 'corrupt_rows' END
              FROM over WHERE why IN ('egress_denied', 'corrupt_row')) events
     GROUP BY tenant, queue, name
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)
  SELECT id, false AS kept, EXISTS (SELECT FROM followed) AS sequels FROM freed
  UNION ALL SELECT task, false, false FROM held
  UNION ALL SELECT id, true, false FROM leased WHERE kept)sql"};

Settlement settlement(const Claimed& task, State state, Reason reason) {
  return {.id = task.spec.id,
          .lease = task.lease,
          .state = state,
          .reason = reason,
          .repeat = task.spec.repeat,
          .late = task.claimed_at - task.run_at,
          .tenant = task.spec.tenant,
          .queue = task.spec.queue,
          .host = task.spec.url.empty() && !task.spec.endpoint.empty()
                      ? "endpoint:" + task.spec.endpoint
                      : std::string(host_of(task.spec.url)),
          .number = task.attempt};
}

Params settle_params(const Uuid& counters, std::span<const Settlement> batch) {
  Array id(Oid::uuid), lease(Oid::uuid), state(Oid::text), reason(Oid::text), delay(Oid::int8),
      record(Oid::json), outcome(Oid::text), last_error(Oid::text), code(Oid::int4), ms(Oid::int4),
      headers(Oid::text), body(Oid::bytea);
  std::vector<const Settlement*> sorted;
  sorted.reserve(batch.size());
  for (const auto& s : batch) sorted.push_back(&s);
  std::ranges::sort(sorted, {}, [](const Settlement* s) { return s->id; });
  for (const auto* each : sorted) {
    const Settlement& s = *each;
    const bool again = s.state == State::completed && s.repeat > Seconds{0};
    id.uuid(s.id);
    lease.uuid(s.lease);
    state.text(again ? "repeat" : name(s.state));
    reason.text(name(s.reason));
    delay.int8(again ? Milliseconds(s.repeat).count() : s.delay.count());
    s.attempt ? record.text(attempt_json(*s.attempt)) : record.null();
    s.attempt ? outcome.text(s.attempt->status) : outcome.null();
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
  params.uuid(counters);
  for (const auto* column : {&id, &lease, &state, &reason, &delay, &record, &outcome, &last_error,
                             &code, &ms, &headers, &body}) {
    params.array(*column);
  }
  return params;
}

Settled settled_from(const PgResult& result) {
  Settled out;
  out.tasks.reserve(static_cast<std::size_t>(result.rows()));
  const int id = result.column("id"), kept = result.column("kept"),
            sequels = result.column("sequels");
  for (int i = 0; i < result.rows(); ++i) {
    (result.boolean(i, kept) ? out.kept : out.tasks).push_back(result.uuid(i, id));
    out.sequels = out.sequels || result.boolean(i, sequels);
  }
  return out;
}

const Statement kSetAside{"set_aside", "SELECT postern.set_aside($2, $3, $4, $1)"};

Params set_aside_params(const Uuid& counters, const TaskId& task, const Uuid& lease,
                        std::string_view error) {
  Params params;
  params.uuid(counters).uuid(task).uuid(lease).text(error);
  return params;
}

bool set_aside_from(const PgResult& result) { return result.boolean(0, 0); }

}  // namespace postern::db
