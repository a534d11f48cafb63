// What the API and the webhooks of TaskMQ's wire share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/phase.h"
#include "core/model/task.h"
#include "core/wire/webhook.h"

namespace postern {

// "PENDING", "RUNNING", "SUCCESS" or "FAILED".
std::string_view taskmq_status(Phase phase);

// TaskMQ's priorities (0 low, 10 normal, 20 high, and any other) as core's 0..100.
int priority_of_taskmq(std::int64_t priority);
// The priority as it was given, which TaskSpec::extra keeps; for a task of another dialect the
// nearest of TaskMQ's.
std::string taskmq_extra(std::int64_t priority);
std::int64_t taskmq_priority(const TaskSpec& spec);

// {"job_id","handler","payload","attempt"}.
std::string taskmq_webhook_body(const TaskSpec& task, int attempt);
std::string taskmq_webhook(const WebhookCall& call);

}  // namespace postern
