// A schedule on the native wire: asyncjobs's fields first, then those that asyncjobs does not have.
// What is not set is left out. The fields of its task are named as a task's (kTaskNames,
// task_field).
#pragma once

#include <string_view>
#include <vector>

#include "core/model/schedule.h"
#include "core/wire/fields.h"
#include "core/wire/task_json.h"

namespace postern::wire {

namespace schedule_field {
inline constexpr std::string_view kName = "name";
inline constexpr std::string_view kSchedule = "schedule";
inline constexpr std::string_view kTaskType = "task_type";  // asyncjobs's name for the endpoint
inline constexpr std::string_view kDeadline = "deadline";   // how long after the occurrence
inline constexpr std::string_view kMaxTries = "max_tries";  // one more than max_retries
inline constexpr std::string_view kInterval = "interval_seconds";
inline constexpr std::string_view kTimezone = "timezone";
inline constexpr std::string_view kMisfire = "misfire";
inline constexpr std::string_view kMisfireLimit = "misfire_limit";
inline constexpr std::string_view kMisfireWindow = "misfire_window_seconds";
inline constexpr std::string_view kOverlap = "overlap";
inline constexpr std::string_view kJitter = "jitter_seconds";
inline constexpr std::string_view kStartsAt = "starts_at";
inline constexpr std::string_view kEndsAt = "ends_at";
inline constexpr std::string_view kPaused = "paused";
inline constexpr std::string_view kNextAt = "next_at";
inline constexpr std::string_view kLastAt = "last_at";
inline constexpr std::string_view kCreatedAt = "created_at";
inline constexpr std::string_view kUpdatedAt = "updated_at";
inline constexpr std::string_view kError = "error";  // why it cannot fire
// Read only: asyncjobs's other spellings of kTaskType and kDeadline.
inline constexpr std::string_view kType = "type";
inline constexpr std::string_view kDeadlineOffset = "deadline_offset";
}  // namespace schedule_field

namespace run_field {
inline constexpr std::string_view kNominalTime = "nominal_time";
inline constexpr std::string_view kFiredAt = "fired_at";
inline constexpr std::string_view kTaskId = "task_id";
inline constexpr std::string_view kSkipped = "skipped";
}  // namespace run_field

Fields<Schedule> schedule_fields();
void write_schedule(JsonWriter& out, const Schedule& schedule);

Fields<ScheduleRun> run_fields();
void write_run(JsonWriter& out, const ScheduleRun& run);

// {"next":[TIME,...]}: when it fires.
void write_next(JsonWriter& out, const std::vector<Time>& times);

}  // namespace postern::wire
