#include "core/wire/task_json.h"

#include <algorithm>
#include <array>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/model/priority.h"
#include "core/wire/values.h"

namespace postern::wire {
namespace {

std::optional<Time> time_of(std::string_view json_text) {
  const Result<std::string> text = json_string(json_text, "");
  return text ? parse_rfc3339(*text) : std::nullopt;
}

// The attempts of the row in the order of the documentation and with times in seconds like all
// others; jsonb keeps neither.
void write_attempts(JsonWriter& out, const Task& task) {
  constexpr std::array kKeys{"number",      "status", "response_code", "executed_at",
                             "duration_ms", "error",  "response"};
  out.begin_array();
  for (const std::string_view attempt : json_elements(task.attempts)) {
    const Result<std::vector<JsonMember>> members = parse_json_object(attempt);
    if (!members) continue;
    out.begin_object();
    for (const std::string_view key : kKeys) {
      const auto member = std::find_if(members->begin(), members->end(),
                                       [&](const JsonMember& each) { return each.key == key; });
      if (member == members->end()) continue;
      out.key(key);
      const auto time = key == "executed_at" ? time_of(member->raw) : std::nullopt;
      time ? out.string(format_rfc3339(*time)) : out.raw(member->raw);
    }
    out.end_object();
  }
  out.end_array();
}

void write_result(JsonWriter& out, const Task& task) {
  const Answer& answer = *task.result;
  out.begin_object();
  out.member("response_code", std::int64_t{answer.status});
  out.key("headers");
  write_headers(out, answer.headers);
  out.member("body", answer.body);
  out.member("duration_ms", answer.duration.count());
  out.end_object();
}

void write_dependencies(JsonWriter& out, const Task& task) {
  out.begin_array();
  for (const auto& id : task.spec.dependencies) out.string(to_typeid(id));
  out.end_array();
}

// The delay that was asked for; it is shown until the first attempt.
void write_delay(JsonWriter& out, const Task& task) {
  const auto delay =
      std::chrono::round<Seconds>(std::max(task.run_at - task.created_at, Microseconds{0}));
  out.number(std::int64_t{delay.count()});
}

using Out = JsonWriter;

bool body_is(const Task& task, std::string_view field) {
  return body_field(task.spec.body_form, task.spec.body) == field;
}

constexpr Field<Task> kTaskFields[] = {
    {.name = task_field::kId,
     .write = [](Out& out, const Task& t) { out.string(to_typeid(t.spec.id)); }},
    {.name = kTaskNames.queue, .write = [](Out& out, const Task& t) { out.string(t.spec.queue); }},
    {.name = task_field::kStatus,
     .write = [](Out& out, const Task& t) { out.string(status_of(t.state)); }},
    {.name = task_field::kDeferred,
     .write = [](Out& out, const Task&) { out.boolean(true); },
     .present = [](const Task& t) { return t.deferred; }},
    // What a client did itself needs no reason.
    {.name = task_field::kReason,
     .write = [](Out& out, const Task& t) { out.string(name(t.reason)); },
     .present =
         [](const Task& t) { return t.reason != Reason::none && t.reason != Reason::cancelled; }},
    {.name = task_field::kPriority,
     .write = [](Out& out, const Task& t) { out.number(shown_priority(t.spec.priority)); }},
    {.name = kTaskNames.delay,
     .write = write_delay,
     .present = [](const Task& t) { return t.attempt == 0; },
     .unit = Unit::seconds},
    {.name = task_field::kNextAttemptAt,
     .write = [](Out& out, const Task& t) { write_time(out, t.run_at); },
     .present = [](const Task& t) { return t.state == State::ready || t.state == State::delayed; }},

    // Where it goes and with what.
    {.name = kTaskNames.url,
     .write = [](Out& out, const Task& t) { out.string(t.spec.url); },
     .present = [](const Task& t) { return !t.spec.url.empty(); }},
    {.name = kTaskNames.endpoint,
     .write = [](Out& out, const Task& t) { out.string(t.spec.endpoint); },
     .present = [](const Task& t) { return !t.spec.endpoint.empty(); }},
    {.name = task_field::kResolvedEndpoint,
     .write = [](Out& out, const Task& t) { out.string(*t.resolved); },
     .present = [](const Task& t) { return t.resolved && *t.resolved != t.spec.endpoint; }},
    {.name = kTaskNames.method,
     .write = [](Out& out, const Task& t) { out.string(t.spec.method); }},
    {.name = kTaskNames.headers,
     .write = [](Out& out, const Task& t) { write_headers(out, t.spec.headers); },
     .present = [](const Task& t) { return !t.spec.headers.empty(); }},
    {.name = task_field::kPayloadOmitted,
     .write = [](Out& out, const Task&) { out.boolean(true); },
     .present = [](const Task& t) { return t.body_omitted; }},
    {.name = task_field::kPayload,
     .write = [](Out& out, const Task& t) { out.raw(*t.spec.body); },
     .present = [](const Task& t) { return body_is(t, task_field::kPayload); }},
    {.name = task_field::kBody,
     .write = [](Out& out, const Task& t) { out.string(*t.spec.body); },
     .present = [](const Task& t) { return body_is(t, task_field::kBody); }},
    {.name = task_field::kPayloadBase64,
     .write = [](Out& out, const Task& t) { out.string(base64_encode(*t.spec.body)); },
     .present = [](const Task& t) { return body_is(t, task_field::kPayloadBase64); }},
    {.name = kTaskNames.content_type,
     .write = [](Out& out, const Task& t) { out.string(t.spec.content_type); },
     .present = [](const Task& t) { return !t.spec.content_type.empty(); }},

    // Its limits.
    {.name = kTaskNames.max_retries,
     .write = [](Out& out, const Task& t) { out.number(t.spec.max_attempts - 1); }},
    {.name = kTaskNames.retry_policy,
     .write = [](Out& out, const Task& t) { write_retry_policy(out, t.spec.retry_policy); }},
    {.name = kTaskNames.timeout,
     .write = [](Out& out, const Task& t) { write_seconds(out, t.spec.timeout); },
     .present = [](const Task& t) { return t.spec.timeout.count() > 0; },
     .unit = Unit::seconds},
    {.name = kTaskNames.deadline,
     .write = [](Out& out, const Task& t) { write_time(out, *t.spec.deadline); },
     .present = [](const Task& t) { return t.spec.deadline.has_value(); }},
    {.name = kTaskNames.on_complete_url,
     .write = [](Out& out, const Task& t) { out.string(t.spec.on_complete_url); },
     .present = [](const Task& t) { return !t.spec.on_complete_url.empty(); }},
    {.name = kTaskNames.on_failure_url,
     .write = [](Out& out, const Task& t) { out.string(t.spec.on_failure_url); },
     .present = [](const Task& t) { return !t.spec.on_failure_url.empty(); }},
    {.name = kTaskNames.key,
     .write = [](Out& out, const Task& t) { out.string(t.spec.key); },
     .present = [](const Task& t) { return !t.spec.key.empty(); }},
    {.name = kTaskNames.tags,
     .write = [](Out& out, const Task& t) { write_texts(out, t.spec.tags); },
     .present = [](const Task& t) { return !t.spec.tags.empty(); }},
    {.name = kTaskNames.dependencies,
     .write = write_dependencies,
     .present = [](const Task& t) { return !t.spec.dependencies.empty(); }},

    {.name = task_field::kSchedule,
     .write =
         [](Out& out, const Task& t) {
           out.begin_object().member("name", t.schedule->name).key("nominal_time");
           write_time(out, t.schedule->nominal);
           out.end_object();
         },
     .present = [](const Task& t) { return t.schedule.has_value(); }},

    // What became of it.
    {.name = task_field::kAttempts, .write = write_attempts},
    {.name = task_field::kAttemptCount,
     .write = [](Out& out, const Task& t) { out.number(t.attempt); }},
    {.name = task_field::kLastError,
     .write = [](Out& out, const Task& t) { out.string(t.last_error); },
     .present = [](const Task& t) { return !t.last_error.empty(); }},
    {.name = task_field::kResult,
     .write = write_result,
     .present = [](const Task& t) { return t.result.has_value(); }},
    {.name = task_field::kCreatedAt,
     .write = [](Out& out, const Task& t) { write_time(out, t.created_at); }},
    {.name = task_field::kUpdatedAt,
     .write = [](Out& out, const Task& t) { write_time(out, t.updated_at); }},
    {.name = task_field::kCompletedAt,
     .write = [](Out& out, const Task& t) { write_time(out, *t.finished_at); },
     .present = [](const Task& t) { return t.finished_at.has_value(); }},
};

}  // namespace

std::string_view status_of(State state) {
  switch (state) {
    case State::ready:
    case State::delayed: return "pending";
    case State::active:
    case State::blocked:
    case State::completed:
    case State::failed:
    case State::cancelled: return name(state);
  }
  return "";
}

std::string_view body_field(BodyForm form, const std::optional<std::string>& body) {
  if (!body) return {};
  if (form == BodyForm::payload) return task_field::kPayload;
  return is_utf8(*body) ? task_field::kBody : task_field::kPayloadBase64;
}

Fields<Task> task_fields() { return kTaskFields; }

void write_task(JsonWriter& out, const Task& task) { write_object(out, kTaskFields, task); }

}  // namespace postern::wire
