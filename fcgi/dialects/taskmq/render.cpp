#include <algorithm>

#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/model/phase.h"
#include "core/time/isoformat.h"
#include "core/wire/taskmq.h"
#include "fcgi/dialects/taskmq/wire.h"

namespace postern::taskmq_wire {
namespace {

// What the receiver said: an object of JSON as it is, anything else as text.
void write_result(JsonWriter& out, const Task& task) {
  out.key("result");
  if (task.state != State::completed || !task.result || task.result->body.empty()) {
    out.null();
  } else if (parse_json_object(task.result->body)) {
    out.raw(task.result->body);
  } else {
    out.string(task.result->body);
  }
}

void write_error_log(JsonWriter& out, const Task& task) {
  out.key("error_log");
  if (task.reason == Reason::cancelled) {
    out.string("Cancelled by admin");
  } else if (task.last_error.empty()) {
    out.null();
  } else {
    out.string(task.last_error);
  }
}

// Failures of the present budget.
std::int64_t retries_of(const Task& task) {
  const bool counts_one_more = task.state == State::active || task.state == State::completed;
  return std::max(0, task.attempt - task.attempt_base - (counts_one_more ? 1 : 0));
}

std::string_view policy_of(const TaskSpec& spec) {
  constexpr std::string_view kPrefix = "taskmq-";
  std::string_view policy = spec.retry_policy;
  if (policy.starts_with(kPrefix)) policy.remove_prefix(kPrefix.size());
  return policy;
}

}  // namespace

HttpResponse refusal(const Mistakes& mistakes) {
  JsonWriter out;
  out.begin_object().key("detail").begin_array();
  for (const Mistake& mistake : mistakes) {
    out.begin_object();
    out.key("loc").raw("[" + mistake.loc + "]");
    out.member("msg", mistake.msg).member("type", mistake.type);
    if (!mistake.ctx.empty()) out.key("ctx").raw(mistake.ctx);
    out.end_object();
  }
  out.end_array().end_object();
  return json_response(422, out.take());
}

void write_job(JsonWriter& out, const Task& task) {
  const TaskSpec& spec = task.spec;
  out.begin_object();
  out.key("id");
  spec.job_id ? out.number(*spec.job_id) : out.string(to_uuid(spec.id));
  out.member("status", taskmq_status(phase_of(task)));
  out.member("priority", taskmq_priority(spec));
  out.key("payload");
  if (!spec.body) {
    out.null();
  } else if (spec.body_form == BodyForm::payload) {
    out.raw(*spec.body);
  } else {
    out.string(*spec.body);
  }
  out.member("handler", spec.endpoint.empty() ? spec.url : spec.endpoint);
  write_result(out, task);
  write_error_log(out, task);
  out.member("retries", retries_of(task));
  out.member("retry_policy", policy_of(spec));
  out.key("interval_seconds");
  spec.repeat.count() > 0 ? out.number(std::int64_t{spec.repeat.count()}) : out.null();
  out.member("created_at", format_isoformat(task.created_at));
  out.member("scheduled_for", format_isoformat(task.run_at));
  out.end_object();
}

}  // namespace postern::taskmq_wire
