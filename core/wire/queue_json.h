// A queue on the native wire, as asyncjobs shows it (durations in nanoseconds, -1 for no limit)
// and with the fields that asyncjobs does not have.
#pragma once

#include <string_view>

#include "core/model/queue.h"
#include "core/wire/fields.h"

namespace postern::wire {

namespace queue_field {
inline constexpr std::string_view kName = "name";
inline constexpr std::string_view kTime = "time";
inline constexpr std::string_view kMaxAge = "max_age";
inline constexpr std::string_view kMaxEntries = "max_entries";
inline constexpr std::string_view kDiscardOld = "discard_old";
inline constexpr std::string_view kMaxTries = "max_tries";
inline constexpr std::string_view kMaxRuntime = "max_runtime";
inline constexpr std::string_view kMaxConcurrent = "max_concurrent";
inline constexpr std::string_view kPaused = "paused";
inline constexpr std::string_view kEnginePaused = "engine_paused";  // of what is in it
inline constexpr std::string_view kRateLimit = "rate_limit";
inline constexpr std::string_view kRetention = "retention";
inline constexpr std::string_view kKeepCompleted = "completed";  // of kRetention, as the next two
inline constexpr std::string_view kKeepFailed = "failed";
inline constexpr std::string_view kKeepCancelled = "cancelled";
inline constexpr std::string_view kMaxRetries = "max_retries";
inline constexpr std::string_view kRetryPolicy = "retry_policy";
inline constexpr std::string_view kTimeout = "timeout_seconds";
inline constexpr std::string_view kEndpoint = "endpoint";
inline constexpr std::string_view kCreatedAt = "created_at";
inline constexpr std::string_view kUpdatedAt = "updated_at";
}  // namespace queue_field

Fields<Queue> queue_fields();
void write_queue(JsonWriter& out, const Queue& queue);

// What is in a queue, and what has happened in it.
Fields<QueueStats> queue_stats_fields();
void write_queue_stats(JsonWriter& out, std::string_view name, const QueueStats& stats);

}  // namespace postern::wire
