// asyncjobs's Task, as its API shows it and as its handlers receive it.
// Source: choria-io/asyncjobs, api/openapi.yaml and the library's JSON.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/json_writer.h"
#include "core/model/phase.h"
#include "core/model/task.h"
#include "core/wire/webhook.h"

namespace postern {

// "new", "active", "retry", "expired", "terminated", "complete", "queue_error", "blocked" or
// "unreachable".
std::string_view asyncjobs_state(Phase phase);

// The fields of a creation that only this wire has, as TaskSpec::extra keeps them; empty: not
// given.
struct AsyncJobsExtra {
  std::string deadline;  // as it was spelled, with its offset
  std::string signature;
};
std::string asyncjobs_extra(const AsyncJobsExtra& extra);

// RFC 3339 in UTC with as many decimals as it has, as Go writes it.
std::string format_go_time(Time time);

// As the API shows it: what is not set is left out.
void write_asyncjobs_task(JsonWriter& out, const Task& task);

// As a handler receives it: queue, max_tries and tries are always there. The results of its
// dependencies are there when the task asks for them (load_results).
std::string asyncjobs_webhook_body(const Task& task, std::span<const DependencyResult> results);
std::string asyncjobs_webhook(const WebhookCall& call);
// AJ-Content-Type and AJ-Handler-Deadline.
Headers asyncjobs_webhook_headers(const WebhookCall& call, Time now, std::string_view body);

}  // namespace postern
