#include "scheduler/delivery/webhook.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/model/validation.h"
#include "core/security/signing.h"
#include "core/wire/asyncjobs.h"
#include "core/wire/asyncqueue.h"
#include "core/wire/taskmq.h"
#include "core/wire/webhook.h"
#include "scheduler/delivery/outcome.h"

namespace postern::scheduler {
namespace {

// How each dialect writes a webhook, in the order of Dialect: its body, and the headers it has
// beyond those that every webhook carries (absent: none).
struct Form {
  std::string (*body)(const db::Claimed& task);
  void (*add_headers)(const db::Claimed& task, Time now, HttpRequest& request);
};

std::string native_body(const db::Claimed& task) {
  return native_webhook_body(task.spec, task.attempt);
}

// The task as it stands in the API, under way.
std::string asyncjobs_body(const db::Claimed& claimed) {
  Task task;
  task.spec = claimed.spec;
  task.state = State::active;
  task.attempt = claimed.attempt;
  task.attempt_base = claimed.attempt_base;
  task.created_at = claimed.created_at;
  task.updated_at = claimed.claimed_at;
  return asyncjobs_webhook_body(task, claimed.results);
}

// The deadline leaves a handler two seconds to answer before it is cut off.
void add_asyncjobs_headers(const db::Claimed& task, Time now, HttpRequest& request) {
  constexpr Seconds kToAnswer{2};
  request.headers.push_back({"AJ-Content-Type", "application/x-asyncjobs-task+json"});
  request.headers.push_back(
      {"AJ-Handler-Deadline", format_go_time(now + task.spec.timeout - kToAnswer)});
}

std::string taskmq_body(const db::Claimed& task) {
  return taskmq_webhook_body(task.spec, task.attempt);
}

void add_asyncqueue_headers(const db::Claimed& task, Time now, HttpRequest& request) {
  request.headers.push_back({"X-AsyncQueue-Task-Id", to_uuid(task.spec.id)});
  request.headers.push_back(
      {"X-AsyncQueue-Signature", asyncqueue_signature(task.secrets, now, request.body)});
}

constexpr std::array<Form, 4> kForms = {{
    {native_body, nullptr},  // native
    {native_body, add_asyncqueue_headers},
    {taskmq_body, nullptr},
    {asyncjobs_body, add_asyncjobs_headers},
}};
static_assert(kForms.size() == kAllDialects.size());

// A GET never has a body; a DELETE has one when the task was given one.
bool has_body(const TaskSpec& task) {
  return task.method != "GET" && (task.method != "DELETE" || task.body);
}

// In the words of the dialect whose clients will read it.
std::string no_target(const TaskSpec& spec) {
  switch (spec.dialect) {
    case Dialect::asyncjobs: return fmt::format("no handler for task type {}", spec.endpoint);
    case Dialect::taskmq: return fmt::format("Unknown handler: {}", spec.endpoint);
    case Dialect::native:
    case Dialect::asyncqueue: break;
  }
  return fmt::format("no endpoint named {}", spec.endpoint);
}

bool names(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& header) { return equal_ignoring_case(header.name, name); });
}

}  // namespace

Result<HttpRequest> webhook(const db::Claimed& task, Time now, std::string_view public_url) {
  const TaskSpec& spec = task.spec;
  if (spec.url.empty()) {
    return not_found("endpoint_not_found", no_target(spec));
  }
  auto url = parse_url(spec.url, "url");
  if (!url) return url.error();
  if (const auto checked = check_headers(spec.headers, "headers"); !checked) return checked.error();
  if (const auto checked = check_method(spec.method, "method"); !checked) return checked.error();

  const Form& form = kForms[static_cast<std::size_t>(spec.dialect)];
  HttpRequest request;
  request.method = spec.method;
  request.url = std::move(*url);
  request.timeout = spec.timeout;
  request.fresh_connection = is_last_attempt(task);
  request.headers = spec.headers;
  const auto add = [&](const char* name, std::string value) {
    request.headers.push_back({name, std::move(value)});
  };

  if (has_body(spec)) {
    request.body = form.body(task);
    const std::string type =
        spec.body_form == BodyForm::payload || spec.dialect == Dialect::asyncjobs
            ? "application/json"
            : spec.content_type;
    if (!type.empty() && !names(spec.headers, "content-type")) {
      if (const auto checked = check_content_type(type, "content_type"); !checked) {
        return checked.error();
      }
      add("Content-Type", type);
    }
  }

  // Standard Webhooks: the id is the same over all attempts, the time is this attempt's.
  const std::string id = to_typeid(spec.id);
  const auto seconds = std::chrono::floor<Seconds>(now).time_since_epoch().count();
  add("webhook-id", id);
  add("webhook-timestamp", std::to_string(seconds));
  if (auto signature = standard_webhooks_signature(task.secrets, id, now, request.body);
      !signature.empty()) {
    add("webhook-signature", std::move(signature));
  }
  add("Postern-Attempt", std::to_string(task.attempt));
  add("Postern-Queue", spec.queue);
  add("Postern-Complete-Url", fmt::format("{}/v1/tasks/{}/complete?token={}", public_url, id,
                                          completion_token(task.lease, spec.id)));
  if (is_traceparent(spec.traceparent) && !names(spec.headers, "traceparent")) {
    add("traceparent", spec.traceparent);
  }
  if (form.add_headers != nullptr) form.add_headers(task, now, request);
  return request;
}

}  // namespace postern::scheduler
