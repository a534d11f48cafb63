#include "core/wire/native.h"

#include "core/base/json_writer.h"

namespace postern {

std::string native_webhook_body(const TaskSpec& task, int attempt) {
  if (task.body_form == BodyForm::raw) return task.body.value_or("");
  JsonWriter json;
  json.begin_object();
  json.member("task_id", to_typeid(task.id));
  json.member("queue", task.queue);
  json.key("payload").raw(task.body ? *task.body : "null");
  json.member("attempt", attempt);
  json.end_object();
  return json.take();
}

std::string native_webhook(const WebhookCall& call) {
  return native_webhook_body(call.spec, call.attempt);
}

std::string native_callback_body(const Task& task) {
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

}  // namespace postern
