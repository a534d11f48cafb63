// The columns of a task and how they are read: the one list that must agree with itself.
#pragma once

#include "core/model/task.h"
#include "db/pg/connection.h"

// Macros, because statements are literals. `BODY` is the expression for the body, since lists leave
// large ones out.

// What the caller asked for, in the order spec_from reads it.
#define POSTERN_TASK_SPEC(BODY)                                                                  \
  "id, tenant, dialect, queue, endpoint, method, url, headers, body_form, " BODY                 \
  ", content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, key, tags, "      \
  "dependencies, on_complete_url, on_failure_url, traceparent, extra, idempotency_key, job_id, " \
  "repeat_seconds, hold_seconds, load_results"

// A whole task, in the order task_from reads it.
#define POSTERN_TASK_COLUMNS(BODY)                                                               \
  POSTERN_TASK_SPEC(BODY)                                                                        \
  ", state, reason, attempt, attempt_base, attempts::text, last_error, result_code, result_ms, " \
  "result_headers, result_body, created_at, updated_at, run_at, finished_at, "                   \
  "octet_length(body), resolved, deferred, claimed_at"

// What goes along unchanged when a task moves to task_finished.
#define POSTERN_TASK_MOVED                                                   \
  POSTERN_TASK_SPEC("body")                                                  \
  ", lane, attempt, attempt_base, created_at, run_at, claimed_at, key_seq, " \
  "resolved"

namespace postern::db {

// The task in `row`. Throws std::runtime_error when the row holds what no program of ours writes.
// Its columns begin at `col`.
Task task_from(const PgResult& result, int row, int col = 0);

// Columns of POSTERN_TASK_SPEC.
constexpr int kSpecColumnCount = 28;
TaskSpec spec_from(const PgResult& result, int row, int col = 0);

}  // namespace postern::db
