// The body of a native webhook: {"task_id","queue","payload","attempt"}, or the raw bytes of a task
// that was created with `body` or `payload_base64`.
#pragma once

#include <string>

#include "core/model/task.h"

namespace postern {

// The bytes to send for attempt number `attempt` (1-based). A payload is inserted unchanged; one
// that was not given is null.
std::string native_webhook_body(const TaskSpec& task, int attempt);

}  // namespace postern
