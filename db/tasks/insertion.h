// New tasks as rows: the statement that inserts a batch, in one piece for all who make tasks (the
// intake, a schedule's occurrence, a callback).
#pragma once

#include <span>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

// One task of a batch, and the lane it was routed to (core/model/lane.h).
struct Insertion {
  const NewTask* task;
  std::int64_t lane;
};

// The batch's parameters, $1 to $32 of a statement that holds POSTERN_INSERTED; more may be added
// behind them.
Params insertion_params(const Uuid& instance, std::span<const Insertion> batch);

// A macro, because statements are literals. The CTEs that insert the tasks of the batch for which
// WHERE (of `n`, whose columns are below) is true, count them, and note what has to be seen to: one
// that waits for others or for its key's turn is `blocked` until a scheduler has looked. Lists
// travel as literals, because unnest would flatten arrays of arrays. A start is a time, or a delay
// from the database's now(). `made` has the new rows' id, tenant, queue, lane and state.
#define POSTERN_INSERTED(WHERE)                                                                    \
  "given AS MATERIALIZED ( "                                                                       \
  "SELECT n.*, coalesce(start, now() + delay_us * interval '1 microsecond') AS run_at "            \
  "FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], "         \
  "$8::text[], "                                                                                   \
  "$9::text[], $10::text[], $11::text[], $12::bytea[], $13::text[], $14::int2[], "                 \
  "$15::int4[], $16::text[], $17::int4[], $18::timestamptz[], $19::text[], $20::text[], "          \
  "$21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], "                 \
  "$27::int8[], $28::timestamptz[], $29::int8[], $30::int8[], $31::int8[], $32::boolean[]) "       \
  "AS n(id, lane, tenant, dialect, queue, endpoint, method, url, headers, body_form, body, "       \
  "content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, key, tags, "          \
  "dependencies, on_complete_url, on_failure_url, traceparent, extra, idempotency_key, "           \
  "delay_us, start, job_id, repeat_seconds, hold_seconds, load_results) "                          \
  "WHERE " WHERE                                                                                   \
  "), "                                                                                            \
  "made AS ( "                                                                                     \
  "INSERT INTO postern.task ( "                                                                    \
  "id, lane, tenant, dialect, queue, endpoint, method, url, headers, body_form, body, "            \
  "content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, key, key_seq, tags, " \
  "dependencies, on_complete_url, on_failure_url, traceparent, extra, idempotency_key, "           \
  "job_id, repeat_seconds, hold_seconds, load_results, run_at, "                                   \
  "state) "                                                                                        \
  "SELECT id, lane, tenant, dialect, queue, endpoint, method, url, headers, body_form, body, "     \
  "content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, key, "                \
  "CASE WHEN key IS NOT NULL THEN nextval('postern.key_seq') END, tags::text[], "                  \
  "dependencies::uuid[], on_complete_url, on_failure_url, traceparent, extra, idempotency_key, "   \
  "job_id, repeat_seconds, hold_seconds, load_results, "                                           \
  "run_at, CASE WHEN key IS NOT NULL OR dependencies IS NOT NULL THEN 'blocked' "                  \
  "WHEN run_at > now() THEN 'delayed' ELSE 'ready' END "                                           \
  "FROM given "                                                                                    \
  "RETURNING id, tenant, queue, key, lane, state, dependencies), "                                 \
  "edges AS ( "                                                                                    \
  "INSERT INTO postern.dependency (task, depends_on) "                                             \
  "SELECT DISTINCT id, unnest(dependencies) FROM made WHERE dependencies IS NOT NULL), "           \
  "waiting AS ( "                                                                                  \
  "INSERT INTO postern.sequel (task, tenant, queue, key) "                                         \
  "SELECT id, tenant, queue, key FROM made WHERE state = 'blocked'), "                             \
  "counted AS ( "                                                                                  \
  "INSERT INTO postern.counter AS c (instance, tenant, queue, name, value) "                       \
  "SELECT $1, tenant, queue, 'created', count(*) FROM made GROUP BY tenant, queue "                \
  "ORDER BY tenant, queue "                                                                        \
  "ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + "                   \
  "excluded.value) "

// A scalar subquery that tells the schedulers about `made`. A notification holds at most 8,000
// bytes; an empty one means "look yourself".
#define POSTERN_TOLD                                                          \
  "(SELECT pg_notify('postern_ready', "                                       \
  "CASE WHEN count(DISTINCT lane) <= 300 AND NOT bool_or(state = 'blocked') " \
  "THEN string_agg(DISTINCT lane::text, ',') ELSE '' END)::text "             \
  "FROM made WHERE state <> 'delayed' HAVING count(*) > 0) "

}  // namespace postern::db
