// What the API and the webhooks of AsyncQueue's wire share: the words for a status, the signature,
// the signal's token, and the form of the completion webhook.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/json_writer.h"
#include "core/model/phase.h"
#include "core/model/task.h"
#include "core/wire/webhook.h"

namespace postern {

// "pending", "delayed", "processing", "waiting", "completed", "failed", "timeout" or "cancelled".
std::string_view asyncqueue_status(Phase phase);

// Retries made so far.
std::int64_t asyncqueue_retries(const Task& task);

// The members "result" and "error": the receiver's answer, and what went wrong; null where there is
// none.
void write_asyncqueue_outcome(JsonWriter& out, const Task& task);

// A time with milliseconds, or null.
void write_asyncqueue_time(JsonWriter& out, std::string_view key, std::optional<Time> time);

// The value of X-AsyncQueue-Signature: "t=SECONDS,v1=HEX"; the key is the secret's text as it
// stands. Of several secrets, the current one first, the last one's v1 stands before and behind the
// others': the verifiers that AsyncQueue documents read one v1, some the first and some the last,
// and know the previous secret when a rotation begins.
std::string asyncqueue_signature(std::span<const std::string> secrets, Time at,
                                 std::string_view body);

// Those of a webhook: X-AsyncQueue-Task-Id and X-AsyncQueue-Signature.
Headers asyncqueue_webhook_headers(const WebhookCall& call, Time now, std::string_view body);

// {"event":"task.completed", "task.failed" or "task.timeout","task":{id,status,result,error,
// retryCount,createdAt,completedAt}}.
std::string asyncqueue_callback_body(const Task& task);

// The fields of a creation that only this wire has, as TaskSpec::extra keeps them.
struct AsyncQueueExtra {
  double timeout = 30, max_wait_time = 30;  // seconds, as given
  std::optional<Time> delay_until;
  std::string signal;  // the secret that proves a signal's token; may be empty
};
std::string asyncqueue_extra(const AsyncQueueExtra& extra);
// The fields of a task of any dialect; those that its `extra` lacks are derived from the task.
AsyncQueueExtra asyncqueue_extra_of(const TaskSpec& spec);

// The token that signals a task: its id and a proof. nullopt: the task does not wait for a signal.
std::optional<std::string> signal_token(const TaskSpec& spec);
// The task that a token names, without a check of its proof; nullopt: it is not a token.
std::optional<TaskId> task_of_signal(std::string_view token);

}  // namespace postern
