#include <algorithm>
#include <array>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/model/priority.h"
#include "fcgi/dialects/dialects.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/query.h"

namespace postern::native_wire {
namespace {}  // namespace

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

namespace {

std::optional<Time> time_of(std::string_view json_text) {
  const Result<std::string> text = json_string(json_text, "");
  return text ? parse_rfc3339(*text) : std::nullopt;
}

// The row's own JSON in the order of the documentation and with times in seconds like all others;
// jsonb keeps neither.
void write_attempts(JsonWriter& out, std::string_view json) {
  constexpr std::array kKeys{"number",      "status", "response_code", "executed_at",
                             "duration_ms", "error",  "response"};
  out.begin_array();
  for (const std::string_view attempt : json_elements(json)) {
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

void write_result(JsonWriter& out, const Answer& answer) {
  out.key("result").begin_object();
  out.member("response_code", std::int64_t{answer.status});
  out.key("headers");
  write_headers(out, answer.headers);
  out.member("body", answer.body);
  out.member("duration_ms", answer.duration.count());
  out.end_object();
}

// When it runs: as asked for until the first attempt, then when the next one is due.
void write_schedule(JsonWriter& out, const Task& task) {
  if (task.attempt == 0) {
    const auto delay =
        std::chrono::round<Seconds>(std::max(task.run_at - task.created_at, Microseconds{0}));
    out.member("delay", std::int64_t{delay.count()});
  }
  if (task.state == State::ready || task.state == State::delayed) {
    write_time(out, "next_attempt_at", task.run_at);
  }
}

}  // namespace

void write_text(JsonWriter& out, std::string_view key, std::string_view text) {
  if (!text.empty()) out.member(key, text);
}

void write_time(JsonWriter& out, std::string_view key, Time time) {
  out.member(key, format_rfc3339(time));
}

void write_headers(JsonWriter& out, const Headers& headers) {
  out.begin_object();
  for (const Header& header : headers) out.member(header.name, header.value);
  out.end_object();
}

// Whole seconds as an integer; other dialects may have set a fraction.
void write_seconds(JsonWriter& out, std::string_view key, Milliseconds time) {
  out.key(key);
  if (time.count() % 1000 == 0) {
    out.number(time.count() / 1000);
  } else {
    out.number(static_cast<double>(time.count()) / 1000);
  }
}

void write_texts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out.key(key).begin_array();
  for (const auto& text : texts) out.string(text);
  out.end_array();
}

void write_retry_policy(JsonWriter& out, const std::string& policy) {
  out.key("retry_policy");
  policy.starts_with('{') ? out.raw(policy) : out.string(policy);
}

void write_body(JsonWriter& out, BodyForm form, const std::string& body) {
  if (form == BodyForm::payload) {
    out.key("payload").raw(body);
  } else if (is_utf8(body)) {
    out.member("body", body);
  } else {
    out.member("payload_base64", base64_encode(body));
  }
}

void write_error(JsonWriter& out, const Error& error) {
  out.begin_object();
  out.member("code", name(error.code));
  out.member("message", error.message);
  if (!error.reason.empty() || !error.field.empty()) {
    out.key("details").begin_object();
    if (!error.reason.empty()) out.member("reason", error.reason);
    if (!error.field.empty()) out.member("field", error.field);
    out.end_object();
  }
  out.end_object();
}

void write_task(JsonWriter& out, const Task& task) {
  const TaskSpec& spec = task.spec;
  out.begin_object();
  out.member("id", to_typeid(spec.id));
  out.member("queue", spec.queue);
  out.member("status", status_of(task.state));
  if (task.deferred) out.member("deferred", true);
  // What a client did itself needs no reason.
  if (task.reason != Reason::none && task.reason != Reason::cancelled) {
    out.member("reason", name(task.reason));
  }
  out.member("priority", shown_priority(spec.priority));
  write_schedule(out, task);

  // Where it goes and with what.
  write_text(out, "webhook_url", spec.url);
  write_text(out, "endpoint", spec.endpoint);
  if (task.resolved && *task.resolved != spec.endpoint) {
    out.member("resolved_endpoint", *task.resolved);
  }
  out.member("method", spec.method);
  if (!spec.headers.empty()) {
    out.key("headers");
    write_headers(out, spec.headers);
  }
  if (task.body_omitted) out.member("payload_omitted", true);
  if (spec.body) write_body(out, spec.body_form, *spec.body);
  write_text(out, "content_type", spec.content_type);

  // Its limits.
  out.member("max_retries", std::int64_t{spec.max_attempts - 1});
  write_retry_policy(out, spec.retry_policy);
  if (spec.timeout.count() > 0) write_seconds(out, "timeout", spec.timeout);
  if (spec.deadline) write_time(out, "deadline", *spec.deadline);
  write_text(out, "on_complete_url", spec.on_complete_url);
  write_text(out, "on_failure_url", spec.on_failure_url);
  write_text(out, "key", spec.key);
  write_texts(out, "tags", spec.tags);
  if (!spec.dependencies.empty()) {
    out.key("dependencies").begin_array();
    for (const auto& id : spec.dependencies) out.string(to_typeid(id));
    out.end_array();
  }

  // What became of it.
  out.key("attempts");
  write_attempts(out, task.attempts);
  out.member("attempt_count", std::int64_t{task.attempt});
  write_text(out, "last_error", task.last_error);
  if (task.result) write_result(out, *task.result);
  write_time(out, "created_at", task.created_at);
  write_time(out, "updated_at", task.updated_at);
  if (task.finished_at) write_time(out, "completed_at", *task.finished_at);
  out.end_object();
}

std::string render_page(const db::Page& page, const db::TaskFilter& filter,
                        std::optional<Dialect> mount) {
  JsonWriter out;
  out.begin_object();
  out.key("tasks").begin_array();
  for (const Task& task : page.tasks) shown_to(mount, task).write_task(out, task);
  out.end_array();
  out.member("count", static_cast<std::int64_t>(page.tasks.size()));
  out.key("pagination").begin_object();
  out.member("total", page.total);
  out.member("limit", std::int64_t{filter.limit});
  out.member("offset", std::int64_t{filter.offset});
  out.member("hasMore", page.has_more);
  if (page.total_estimated) out.member("total_estimated", true);
  if (page.has_more) out.member("next_cursor", to_typeid(page.tasks.back().spec.id));
  out.end_object();
  out.end_object();
  return out.take();
}

}  // namespace postern::native_wire
