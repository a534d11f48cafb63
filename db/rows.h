// The columns of a task and how they are read: the one list that must agree with itself.
#pragma once

#include "core/task.h"
#include "db/pg.h"

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
#define POSTERN_TASK_MOVED                                                          \
  POSTERN_TASK_SPEC("body")                                                         \
  ", shard, lane, attempt, attempt_base, created_at, run_at, claimed_at, key_seq, " \
  "resolved"

namespace postern::db {

// The task in `row`. Throws std::runtime_error when the row holds what no program of ours writes.
// Its columns begin at `col`.
Task task_from(const PgResult& result, int row, int col = 0);

// Columns of POSTERN_TASK_SPEC.
constexpr int kSpecColumnCount = 28;
TaskSpec spec_from(const PgResult& result, int row, int col = 0);

// A header map as the JSON object its column keeps, and back. Empty <-> "". What cannot be read
// becomes a header that check_headers refuses, so that one bad row ends as a failed task and does
// not stop its whole batch.
std::string headers_json(const Headers& headers);
Headers headers_from_json(std::string_view json);

// A duration as its column holds it: 24.8 days at most, which a deferred attempt may outlast.
std::int32_t int4_ms(Milliseconds duration);

}  // namespace postern::db
