#include "core/wire/callback.h"

#include "core/base/json_writer.h"
#include "core/wire/asyncqueue.h"

namespace postern {

std::string callback_body(const Task& task) {
  if (task.spec.dialect == Dialect::asyncqueue) return asyncqueue_callback_body(task);
  JsonWriter json;
  json.begin_object();
  json.member("event", task.state == State::completed ? "task.completed" : "task.failed");
  json.key("task").begin_object();
  json.member("id", to_typeid(task.spec.id));
  json.member("queue", task.spec.queue);
  json.member("status", name(task.state));
  if (task.reason != Reason::none) json.member("reason", name(task.reason));
  json.member("attempt_count", std::int64_t{task.attempt});
  if (!task.last_error.empty()) json.member("last_error", task.last_error);
  if (task.result) json.member("response_code", std::int64_t{task.result->status});
  json.member("created_at", format_rfc3339(task.created_at));
  json.member("completed_at", format_rfc3339(task.finished_at.value_or(task.updated_at)));
  json.end_object().end_object();
  return json.take();
}

namespace {

const std::string& callback_url(const Task& task) {
  return task.state == State::completed ? task.spec.on_complete_url : task.spec.on_failure_url;
}

}  // namespace

bool has_callback(const Task& task) {
  const bool told = task.state == State::completed || task.state == State::failed;
  return told && !callback_url(task).empty();
}

NewTask callback_of(const Task& task, const TaskId& id) {
  NewTask callback;
  TaskSpec& spec = callback.spec;
  spec.id = id;
  spec.tenant = task.spec.tenant;
  spec.dialect = task.spec.dialect;
  spec.queue = task.spec.queue;
  spec.url = callback_url(task);
  spec.body_form = BodyForm::raw;
  spec.body = callback_body(task);
  spec.content_type = "application/json";
  spec.priority = task.spec.priority;
  spec.traceparent = task.spec.traceparent;
  if (task.spec.dialect == Dialect::asyncqueue) {
    // AsyncQueue tries once, for at most ten seconds, and ignores the answer.
    spec.max_attempts = 1;
    spec.timeout = Seconds{10};
  }
  return callback;
}

}  // namespace postern
