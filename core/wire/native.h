// What the native wire sends: the body of its webhooks and of its callbacks.
#pragma once

#include <string>

#include "core/model/task.h"
#include "core/wire/webhook.h"

namespace postern {

// {"task_id","queue","payload","attempt"} for attempt number `attempt` (1-based), or the raw bytes
// of a task that was created with `body` or `payload_base64`. A payload is inserted unchanged; one
// that was not given is null.
std::string native_webhook_body(const TaskSpec& task, int attempt);
std::string native_webhook(const WebhookCall& call);

// {"event":"task.completed" or "task.failed","task":{id,queue,status,reason?,attempt_count,
// last_error?,response_code?,created_at,completed_at}}.
std::string native_callback_body(const Task& task);

}  // namespace postern
