// What AsyncQueue's wire has on both sides, the API and the webhooks: its words, its signature, the
// signal's token, and the form of its completion webhook.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/json_writer.h"
#include "core/model/phase.h"
#include "core/model/task.h"

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

// The value of X-AsyncQueue-Signature: "t=SECONDS,v1=HEX", a v1 for each secret, the current one
// first. The key is the secret's text as it stands.
std::string asyncqueue_signature(std::span<const std::string> secrets, Time at,
                                 std::string_view body);

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
// Of a task of any dialect; what it does not say is told by the task.
AsyncQueueExtra asyncqueue_extra_of(const TaskSpec& spec);

// What a task that waits for a signal is told by: its id and a proof. nullopt: it waits for none.
std::optional<std::string> signal_token(const TaskSpec& spec);
// Whose token it says to be; nullopt: it is no token at all.
std::optional<TaskId> task_of_signal(std::string_view token);

}  // namespace postern
