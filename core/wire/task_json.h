// A task on the native wire. What was not set, or is not known yet, is left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/creation.h"
#include "core/model/task.h"
#include "core/wire/fields.h"

namespace postern::wire {

// The fields that a creation has, for its errors too.
inline constexpr FieldNames kTaskNames{};

// The others.
namespace task_field {
inline constexpr std::string_view kId = "id";
inline constexpr std::string_view kStatus = "status";
inline constexpr std::string_view kDeferred = "deferred";
inline constexpr std::string_view kReason = "reason";
inline constexpr std::string_view kPriority = "priority";
inline constexpr std::string_view kNextAttemptAt = "next_attempt_at";
inline constexpr std::string_view kResolvedEndpoint = "resolved_endpoint";
inline constexpr std::string_view kPayloadOmitted = "payload_omitted";
// The three forms of a body: JSON for the envelope, text, and bytes that are not UTF-8.
inline constexpr std::string_view kPayload = "payload";
inline constexpr std::string_view kBody = "body";
inline constexpr std::string_view kPayloadBase64 = "payload_base64";
inline constexpr std::string_view kSchedule = "schedule";
inline constexpr std::string_view kAttempts = "attempts";
inline constexpr std::string_view kAttemptCount = "attempt_count";
inline constexpr std::string_view kLastError = "last_error";
inline constexpr std::string_view kResult = "result";
inline constexpr std::string_view kCreatedAt = "created_at";
inline constexpr std::string_view kUpdatedAt = "updated_at";
inline constexpr std::string_view kCompletedAt = "completed_at";
}  // namespace task_field

// The word for a state.
std::string_view status_of(State state);

// Which of the three fields a body is shown in; empty: there is no body.
std::string_view body_field(BodyForm form, const std::optional<std::string>& body);

Fields<Task> task_fields();
void write_task(JsonWriter& out, const Task& task);

}  // namespace postern::wire
