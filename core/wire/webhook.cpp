#include "core/wire/webhook.h"

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

}  // namespace postern
