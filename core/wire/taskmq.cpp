#include "core/wire/taskmq.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "core/base/json.h"
#include "core/base/json_writer.h"
#include "core/wire/native.h"

namespace postern {
namespace {

constexpr int kLow = 25;  // core's priority for TaskMQ's 0; 10 is 50, and 20 is 75

}  // namespace

std::string_view taskmq_status(Phase phase) {
  switch (phase) {
    case Phase::pending:
    case Phase::delayed:
    case Phase::blocked:
    case Phase::retry: return "PENDING";
    case Phase::active:
    case Phase::waiting: return "RUNNING";
    case Phase::completed: return "SUCCESS";
    case Phase::exhausted:
    case Phase::deadline:
    case Phase::signal_timeout:
    case Phase::terminated:
    case Phase::gone:
    case Phase::egress_denied:
    case Phase::invalid:
    case Phase::unreachable:
    case Phase::cancelled:
    case Phase::queue_purged:
    case Phase::queue_deleted:
    case Phase::discarded:
    case Phase::max_age:
    case Phase::corrupt_row:
    case Phase::queue_full:
    case Phase::quota_exceeded: return "FAILED";
  }
  return "FAILED";
}

int priority_of_taskmq(std::int64_t priority) {
  return static_cast<int>(std::clamp<std::int64_t>(
      kLow + std::clamp<std::int64_t>(priority, -100, 100) * 5 / 2, 0, 100));
}

std::string taskmq_extra(std::int64_t priority) {
  return fmt::format(R"({{"priority":{}}})", priority);
}

std::int64_t taskmq_priority(const TaskSpec& spec) {
  if (spec.dialect == Dialect::taskmq) {
    if (const auto members = parse_json_object(spec.extra)) {
      for (const auto& [key, raw] : *members) {
        std::int64_t value = 0;
        std::from_chars(raw.data(), raw.data() + raw.size(), value);
        if (key == "priority") return value;
      }
    }
  }
  return (spec.priority - kLow) * 2 / 5;
}

std::string taskmq_webhook_body(const TaskSpec& task, int attempt) {
  if (task.body_form == BodyForm::raw) return native_webhook_body(task, attempt);
  JsonWriter json;
  json.begin_object();
  json.key("job_id");
  task.job_id ? json.number(*task.job_id) : json.null();
  json.member("handler", task.endpoint);
  json.key("payload").raw(task.body.value_or("null"));
  json.member("attempt", attempt);
  json.end_object();
  return json.take();
}

std::string taskmq_webhook(const WebhookCall& call) {
  return taskmq_webhook_body(call.spec, call.attempt);
}

}  // namespace postern
