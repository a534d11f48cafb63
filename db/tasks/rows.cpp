#include "db/tasks/rows.h"

#include "core/base/headers_json.h"

namespace postern::db {
namespace {

std::string string_at(const PgResult& result, int row, int col) {
  return std::string(result.text(row, col));
}

int int_at(const PgResult& result, int row, int col) {
  return static_cast<int>(result.integer(row, col));
}

}  // namespace

TaskSpec spec_from(const PgResult& r, int row, int col) {
  TaskSpec spec;
  spec.id = r.uuid(row, col++);
  spec.tenant = string_at(r, row, col++);
  spec.dialect = dialect_from(r.text(row, col++));
  spec.queue = string_at(r, row, col++);
  spec.endpoint = string_at(r, row, col++);
  spec.method = string_at(r, row, col++);
  spec.url = string_at(r, row, col++);
  spec.headers = headers_from_json(r.text(row, col++));
  spec.body_form = body_form_from(r.text(row, col++));
  if (!r.is_null(row, col)) spec.body = string_at(r, row, col);
  ++col;
  spec.content_type = string_at(r, row, col++);
  spec.priority = int_at(r, row, col++);
  spec.max_attempts = int_at(r, row, col++);
  spec.retry_policy = string_at(r, row, col++);
  spec.timeout = Milliseconds{r.integer_or_null(row, col++).value_or(0)};
  spec.deadline = r.time_or_null(row, col++);
  spec.key = string_at(r, row, col++);
  spec.tags = r.text_array(row, col++);
  spec.dependencies = r.uuid_array(row, col++);
  spec.on_complete_url = string_at(r, row, col++);
  spec.on_failure_url = string_at(r, row, col++);
  spec.traceparent = string_at(r, row, col++);
  spec.extra = string_at(r, row, col++);
  spec.idempotency_key = string_at(r, row, col++);
  spec.job_id = r.integer_or_null(row, col++);
  spec.repeat = Seconds{r.integer_or_null(row, col++).value_or(0)};
  spec.hold = Seconds{r.integer_or_null(row, col++).value_or(0)};
  spec.load_results = r.boolean(row, col++);
  return spec;
}

Task task_from(const PgResult& r, int row, int col) {
  Task task;
  task.spec = spec_from(r, row, col);
  col += kSpecColumnCount;
  task.state = state_from(r.text(row, col++));
  task.reason = reason_from(r.text(row, col++));
  task.attempt = int_at(r, row, col++);
  task.attempt_base = int_at(r, row, col++);
  task.attempts = string_at(r, row, col++);
  task.last_error = string_at(r, row, col++);
  if (const auto code = r.integer_or_null(row, col)) {
    task.result = Answer{static_cast<int>(*code), headers_from_json(r.text(row, col + 2)),
                         string_at(r, row, col + 3),
                         Milliseconds{r.integer_or_null(row, col + 1).value_or(0)}};
  }
  col += 4;
  task.created_at = r.time(row, col++);
  task.updated_at = r.time(row, col++);
  task.run_at = r.time(row, col++);
  task.finished_at = r.time_or_null(row, col++);
  task.body_omitted = !task.spec.body && !r.is_null(row, col);
  ++col;
  if (!r.is_null(row, col)) task.resolved = string_at(r, row, col);
  ++col;
  task.deferred = r.boolean(row, col++);
  task.claimed_at = r.time_or_null(row, col++);
  return task;
}

}  // namespace postern::db
