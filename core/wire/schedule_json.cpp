#include "core/wire/schedule_json.h"

#include "core/base/base64.h"
#include "core/model/ids.h"
#include "core/model/priority.h"
#include "core/wire/values.h"

namespace postern::wire {
namespace {

using Out = JsonWriter;

bool is_asyncjobs(const Schedule& schedule) { return schedule.task.dialect == Dialect::asyncjobs; }

// asyncjobs's payload is bytes: base64 in the field "payload", and left out when it is empty.
bool body_is(const Schedule& schedule, std::string_view field) {
  const Creation& task = schedule.task;
  if (!is_asyncjobs(schedule)) return body_field(task.body_form, task.body) == field;
  return field == task_field::kPayload && task.body && !task.body->empty();
}

void write_payload(JsonWriter& out, const Schedule& schedule) {
  const std::string& body = *schedule.task.body;
  is_asyncjobs(schedule) ? out.string(base64_encode(body)) : out.raw(body);
}

constexpr Field<Schedule> kScheduleFields[] = {
    {.name = schedule_field::kName,
     .write = [](Out& out, const Schedule& s) { out.string(s.name); }},
    {.name = schedule_field::kSchedule,
     .write = [](Out& out, const Schedule& s) { out.string(s.spec); }},
    {.name = kTaskNames.queue,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.queue); }},
    {.name = schedule_field::kTaskType,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.endpoint); },
     .present = is_asyncjobs},
    {.name = schedule_field::kCreatedAt,
     .write = [](Out& out, const Schedule& s) { write_time(out, s.created_at); }},
    {.name = task_field::kPayload,
     .write = write_payload,
     .present = [](const Schedule& s) { return body_is(s, task_field::kPayload); }},
    {.name = task_field::kBody,
     .write = [](Out& out, const Schedule& s) { out.string(*s.task.body); },
     .present = [](const Schedule& s) { return body_is(s, task_field::kBody); }},
    {.name = task_field::kPayloadBase64,
     .write = [](Out& out, const Schedule& s) { out.string(base64_encode(*s.task.body)); },
     .present = [](const Schedule& s) { return body_is(s, task_field::kPayloadBase64); }},
    {.name = schedule_field::kDeadline,
     .write =
         [](Out& out, const Schedule& s) {
           out.number(std::int64_t{std::chrono::nanoseconds(*s.deadline_offset).count()});
         },
     .present = [](const Schedule& s) { return s.deadline_offset.has_value(); },
     .unit = Unit::nanoseconds},
    {.name = schedule_field::kMaxTries,
     .write = [](Out& out, const Schedule& s) { out.number(*s.task.max_retries + 1); },
     .present = [](const Schedule& s) { return s.task.max_retries.has_value(); }},

    // What follows is not asyncjobs's.
    {.name = schedule_field::kInterval,
     .write = [](Out& out, const Schedule& s) { out.number(std::int64_t{s.interval->count()}); },
     .present = [](const Schedule& s) { return s.interval.has_value(); },
     .unit = Unit::seconds},
    {.name = schedule_field::kTimezone,
     .write = [](Out& out, const Schedule& s) { out.string(s.timezone); }},
    {.name = kTaskNames.url,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.url); },
     .present = [](const Schedule& s) { return !s.task.url.empty(); }},
    {.name = kTaskNames.endpoint,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.endpoint); },
     .present = [](const Schedule& s) { return !is_asyncjobs(s) && !s.task.endpoint.empty(); }},
    {.name = kTaskNames.method,
     .write = [](Out& out, const Schedule& s) { out.string(*s.task.method); },
     .present = [](const Schedule& s) { return s.task.method && !s.task.method->empty(); }},
    {.name = kTaskNames.headers,
     .write = [](Out& out, const Schedule& s) { write_headers(out, s.task.headers); },
     .present = [](const Schedule& s) { return !s.task.headers.empty(); }},
    {.name = kTaskNames.content_type,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.content_type); },
     .present = [](const Schedule& s) { return !s.task.content_type.empty(); }},
    {.name = task_field::kPriority,
     .write = [](Out& out, const Schedule& s) { out.number(shown_priority(s.task.priority)); }},
    {.name = kTaskNames.max_retries,
     .write = [](Out& out, const Schedule& s) { out.number(*s.task.max_retries); },
     .present = [](const Schedule& s) { return s.task.max_retries.has_value(); }},
    {.name = kTaskNames.retry_policy,
     .write = [](Out& out, const Schedule& s) { write_retry_policy(out, *s.task.retry_policy); },
     .present = [](const Schedule& s) { return s.task.retry_policy.has_value(); }},
    {.name = kTaskNames.timeout,
     .write = [](Out& out, const Schedule& s) { write_seconds(out, *s.task.timeout); },
     .present = [](const Schedule& s) { return s.task.timeout.has_value(); },
     .unit = Unit::seconds},
    {.name = kTaskNames.tags,
     .write = [](Out& out, const Schedule& s) { write_texts(out, s.task.tags); },
     .present = [](const Schedule& s) { return !s.task.tags.empty(); }},
    {.name = kTaskNames.key,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.key); },
     .present = [](const Schedule& s) { return !s.task.key.empty(); }},
    {.name = kTaskNames.on_complete_url,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.on_complete_url); },
     .present = [](const Schedule& s) { return !s.task.on_complete_url.empty(); }},
    {.name = kTaskNames.on_failure_url,
     .write = [](Out& out, const Schedule& s) { out.string(s.task.on_failure_url); },
     .present = [](const Schedule& s) { return !s.task.on_failure_url.empty(); }},
    {.name = schedule_field::kMisfire,
     .write = [](Out& out, const Schedule& s) { out.string(name(s.misfire.kind)); }},
    {.name = schedule_field::kMisfireLimit,
     .write = [](Out& out, const Schedule& s) { out.number(s.misfire.limit); }},
    {.name = schedule_field::kMisfireWindow,
     .write = [](Out& out,
                 const Schedule& s) { out.number(std::int64_t{s.misfire.window.count()}); },
     .unit = Unit::seconds},
    {.name = schedule_field::kOverlap,
     .write = [](Out& out, const Schedule& s) { out.string(name(s.overlap)); }},
    {.name = schedule_field::kJitter,
     .write = [](Out& out, const Schedule& s) { out.number(std::int64_t{s.jitter.count()}); },
     .unit = Unit::seconds},
    {.name = schedule_field::kStartsAt,
     .write = [](Out& out, const Schedule& s) { write_time(out, *s.bounds.starts_at); },
     .present = [](const Schedule& s) { return s.bounds.starts_at.has_value(); }},
    {.name = schedule_field::kEndsAt,
     .write = [](Out& out, const Schedule& s) { write_time(out, *s.bounds.ends_at); },
     .present = [](const Schedule& s) { return s.bounds.ends_at.has_value(); }},
    {.name = schedule_field::kPaused,
     .write = [](Out& out, const Schedule& s) { out.boolean(s.paused); }},
    {.name = schedule_field::kNextAt,
     .write = [](Out& out, const Schedule& s) { write_time(out, *s.next_at); },
     .present = [](const Schedule& s) { return !s.paused && s.next_at; }},
    {.name = schedule_field::kLastAt,
     .write = [](Out& out, const Schedule& s) { write_time(out, *s.last_at); },
     .present = [](const Schedule& s) { return s.last_at.has_value(); }},
    {.name = schedule_field::kUpdatedAt,
     .write = [](Out& out, const Schedule& s) { write_time(out, s.updated_at); }},
    {.name = schedule_field::kError,
     .write = [](Out& out, const Schedule& s) { out.string(s.error); },
     .present = [](const Schedule& s) { return !s.error.empty(); }},
};

constexpr Field<ScheduleRun> kRunFields[] = {
    {.name = run_field::kNominalTime,
     .write = [](Out& out, const ScheduleRun& r) { write_time(out, r.nominal); }},
    {.name = run_field::kFiredAt,
     .write = [](Out& out, const ScheduleRun& r) { write_time(out, r.fired_at); }},
    {.name = run_field::kTaskId,
     .write = [](Out& out, const ScheduleRun& r) { out.string(to_typeid(*r.task)); },
     .present = [](const ScheduleRun& r) { return r.task.has_value(); }},
    {.name = run_field::kSkipped,
     .write = [](Out& out, const ScheduleRun& r) { out.string(r.skipped); },
     .present = [](const ScheduleRun& r) { return !r.skipped.empty(); }},
};

}  // namespace

Fields<Schedule> schedule_fields() { return kScheduleFields; }

void write_schedule(JsonWriter& out, const Schedule& schedule) {
  write_object(out, kScheduleFields, schedule);
}

Fields<ScheduleRun> run_fields() { return kRunFields; }

void write_run(JsonWriter& out, const ScheduleRun& run) { write_object(out, kRunFields, run); }

void write_next(JsonWriter& out, const std::vector<Time>& times) {
  out.begin_object().key("next").begin_array();
  for (const Time time : times) write_time(out, time);
  out.end_array().end_object();
}

}  // namespace postern::wire
