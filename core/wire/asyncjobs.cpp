#include "core/wire/asyncjobs.h"

#include <algorithm>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/wire/attempts.h"

namespace postern {
namespace {

enum class For { client, handler };

AsyncJobsExtra extra_of(const TaskSpec& spec) {
  AsyncJobsExtra extra;
  if (spec.dialect != Dialect::asyncjobs) return extra;
  const auto members = parse_json_object(spec.extra);
  if (!members) return extra;
  for (const auto& [key, raw] : *members) {
    const auto text = json_string(raw, "");
    if (!text) continue;
    if (key == "deadline") extra.deadline = *text;
    if (key == "signature") extra.signature = *text;
  }
  return extra;
}

void write_payload(JsonWriter& out, const std::optional<std::string>& body) {
  out.key("payload");
  body ? out.string(base64_encode(*body)) : out.null();
}

// The receiver's answer: JSON as it stands, anything else as a string.
void write_answer(JsonWriter& out, const std::string& body, Time completed) {
  out.begin_object().key("payload");
  if (body.empty()) {
    out.null();
  } else if (is_json(body)) {
    out.raw(body);
  } else {
    out.string(body);
  }
  out.member("completed", format_go_time(completed));
  out.end_object();
}

std::string_view type_of(const TaskSpec& spec) {
  return spec.endpoint.empty() ? std::string_view("webhook") : spec.endpoint;
}

// When the task was last handed to a handler, in milliseconds, as attempts are kept; also while an
// attempt is under way. The creation is kept in microseconds and must not seem to be later.
std::optional<Time> tried_at(const Task& task) {
  const auto tried = task.state == State::active ? std::chrono::floor<Milliseconds>(task.updated_at)
                                                 : attempt_times(task.attempts).last;
  if (!tried) return tried;
  return std::max(*tried, task.created_at);
}

// How often the task was handed out, of this budget. A claim after the deadline counts, although it
// has no attempt.
std::int64_t tries_of(const Task& task) {
  const int made = task.reason == Reason::deadline ? last_attempt(task.attempts) : task.attempt;
  return made - task.attempt_base;
}

void write_tries(JsonWriter& out, const Task& task, For whom) {
  const std::int64_t tries = tries_of(task);
  out.member("max_tries", std::int64_t{task.spec.max_attempts});
  if (tries > 0 || whom == For::handler) out.member("tries", tries);
  if (const auto tried = tried_at(task)) out.member("tried", format_go_time(*tried));
  if (task.reason == Reason::cancelled) {
    out.member("last_err", "cancelled");
  } else if (!task.last_error.empty() && task.state != State::active) {
    out.member("last_err", task.last_error);
  }
}

void write_dependencies(JsonWriter& out, const TaskSpec& spec) {
  if (!spec.dependencies.empty()) {
    out.key("dependencies").begin_array();
    for (const TaskId& id : spec.dependencies) out.string(to_ksuid(id));
    out.end_array();
  }
  if (spec.load_results) out.member("load_dependencies", true);
}

void write_members(JsonWriter& out, const Task& task, For whom) {
  const TaskSpec& spec = task.spec;
  const AsyncJobsExtra extra = extra_of(spec);
  out.member("id", to_ksuid(spec.id));
  out.member("type", type_of(spec));
  out.member("queue", spec.queue);
  write_payload(out, spec.body);
  out.member("state", asyncjobs_state(phase_of(task)));
  out.member("created", format_go_time(task.created_at));
  // A retry drops a deadline that has passed; its spelling in `extra` stays.
  if (spec.deadline) {
    out.member("deadline",
               extra.deadline.empty() ? format_go_time(*spec.deadline) : extra.deadline);
  }
  write_tries(out, task, whom);
  write_dependencies(out, spec);
  if (task.state == State::completed && task.result) {
    out.key("result");
    write_answer(out, task.result->body, task.finished_at.value_or(task.updated_at));
  }
  if (!extra.signature.empty()) out.member("signature", extra.signature);
}

void write_results(JsonWriter& out, std::span<const DependencyResult> results) {
  if (results.empty()) return;
  out.key("dependency_results").begin_object();
  for (const DependencyResult& each : results) {
    out.key(to_ksuid(each.task));
    write_answer(out, each.body, each.completed_at);
  }
  out.end_object();
}

}  // namespace

std::string_view asyncjobs_state(Phase phase) {
  switch (phase) {
    case Phase::pending:
    case Phase::delayed: return "new";
    case Phase::blocked: return "blocked";
    case Phase::retry: return "retry";
    case Phase::active:
    case Phase::waiting: return "active";
    case Phase::completed: return "complete";
    case Phase::exhausted:
    case Phase::deadline:
    case Phase::signal_timeout:
    case Phase::max_age: return "expired";
    case Phase::terminated:
    case Phase::gone:
    case Phase::egress_denied:
    case Phase::invalid:
    case Phase::corrupt_row:
    case Phase::cancelled: return "terminated";
    case Phase::unreachable: return "unreachable";
    case Phase::queue_purged:
    case Phase::queue_deleted:
    case Phase::discarded:
    case Phase::queue_full:
    case Phase::quota_exceeded: return "queue_error";
  }
  return "terminated";
}

std::string asyncjobs_extra(const AsyncJobsExtra& extra) {
  if (extra.deadline.empty() && extra.signature.empty()) return {};
  JsonWriter json;
  json.begin_object();
  if (!extra.deadline.empty()) json.member("deadline", extra.deadline);
  if (!extra.signature.empty()) json.member("signature", extra.signature);
  json.end_object();
  return json.take();
}

std::string format_go_time(Time time) {
  std::string text = format_rfc3339(time, TimeDigits::micros);
  text.pop_back();
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text + "Z";
}

void write_asyncjobs_task(JsonWriter& out, const Task& task) {
  out.begin_object();
  write_members(out, task, For::client);
  write_results(out, task.dependency_results);
  out.end_object();
}

std::string asyncjobs_webhook_body(const Task& task, std::span<const DependencyResult> results) {
  JsonWriter out;
  out.begin_object();
  write_members(out, task, For::handler);
  write_results(out, results);
  out.end_object();
  return out.take();
}

// The task as it stands in the API, under way.
std::string asyncjobs_webhook(const WebhookCall& call) {
  Task task;
  task.spec = call.spec;
  task.state = State::active;
  task.attempt = call.attempt;
  task.attempt_base = call.attempt_base;
  task.created_at = call.created_at;
  task.updated_at = call.claimed_at;
  return asyncjobs_webhook_body(task, call.results);
}

// The deadline leaves a handler two seconds to answer before it is cut off.
Headers asyncjobs_webhook_headers(const WebhookCall& call, Time now, std::string_view) {
  constexpr Seconds kToAnswer{2};
  return {{"AJ-Content-Type", "application/x-asyncjobs-task+json"},
          {"AJ-Handler-Deadline", format_go_time(now + call.spec.timeout - kToAnswer)}};
}

}  // namespace postern
