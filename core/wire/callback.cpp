#include "core/wire/callback.h"

#include "core/wire/webhook.h"

namespace postern {

std::string callback_body(const Task& task) {
  return webhook_form(task.spec.dialect).callback_body(task);
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
  if (webhook_form(task.spec.dialect).callback_is_one_try) {
    spec.max_attempts = 1;
    spec.timeout = Seconds{10};
  }
  return callback;
}

}  // namespace postern
