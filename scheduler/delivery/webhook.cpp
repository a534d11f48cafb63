#include "scheduler/delivery/webhook.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/model/validation.h"
#include "core/security/signing.h"
#include "core/wire/webhook.h"
#include "scheduler/delivery/outcome.h"

namespace postern::scheduler {
namespace {

// A GET never has a body; a DELETE has one when the task was given one.
bool has_body(const TaskSpec& task) {
  return task.method != "GET" && (task.method != "DELETE" || task.body);
}

bool names(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& header) { return equal_ignoring_case(header.name, name); });
}

}  // namespace

Result<OutgoingRequest> webhook(const db::Claimed& task, Time now, std::string_view public_url) {
  const TaskSpec& spec = task.spec;
  const WebhookForm& form = webhook_form(spec.dialect);
  if (spec.url.empty()) {
    return not_found("endpoint_not_found", fmt::format("{}{}", form.no_endpoint, spec.endpoint));
  }
  auto url = parse_url(spec.url, "url");
  if (!url) return url.error();
  if (const auto checked = check_headers(spec.headers, "headers"); !checked) return checked.error();
  if (const auto checked = check_method(spec.method, "method"); !checked) return checked.error();

  const WebhookCall call{
      spec,         task.attempt, task.attempt_base, task.created_at, task.claimed_at,
      task.results, task.secrets};
  OutgoingRequest request;
  request.method = spec.method;
  request.url = std::move(*url);
  request.timeout = spec.timeout;
  request.fresh_connection = is_last_attempt(task);
  request.headers = spec.headers;
  const auto add = [&](const char* name, std::string value) {
    request.headers.push_back({name, std::move(value)});
  };

  if (has_body(spec)) {
    request.body = form.body(call);
    const std::string type = !form.content_type.empty()            ? std::string(form.content_type)
                             : spec.body_form == BodyForm::payload ? "application/json"
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
  if (form.headers != nullptr) {
    for (Header& header : form.headers(call, now, request.body)) {
      request.headers.push_back(std::move(header));
    }
  }
  return request;
}

}  // namespace postern::scheduler
