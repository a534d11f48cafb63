#include "core/model/creation.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/url.h"
#include "core/model/retry_policy.h"
#include "core/model/validation.h"

namespace postern {
namespace {

constexpr std::size_t kMaxDependencies = 100;

Error no_target(const FieldNames& fields) {
  return invalid("url_required", std::string(fields.url),
                 fmt::format("{} is required, or {}, or a queue that has a default endpoint.",
                             fields.url, fields.endpoint));
}

// Where it goes.
Result<void> check_target(const Creation& wanted) {
  const FieldNames& fields = *wanted.fields;
  if (!wanted.url.empty() && !wanted.endpoint.empty()) {
    return invalid("target_both_set", std::string(fields.url),
                   fmt::format("Give {} or {}, not both.", fields.url, fields.endpoint));
  }
  if (!wanted.endpoint.empty()) {
    if (wanted.method) {
      return invalid(
          "method_invalid", std::string(fields.method),
          fmt::format("{} goes with {}; an endpoint has its own.", fields.method, fields.url));
    }
    if (traits(wanted.dialect).any_endpoint_name) return {};
    return check_name(wanted.endpoint, fields.endpoint, "endpoint_invalid");
  }
  if (!wanted.url.empty()) {
    if (const auto url = parse_url(wanted.url, fields.url); !url) return url.error();
  }
  if (!wanted.method) return {};
  if (wanted.method == "GET" && wanted.body && !traits(wanted.dialect).drops_body_of_get) {
    return invalid(
        "method_invalid", std::string(fields.method),
        fmt::format("A GET carries no body: choose another {}, or leave the payload out.",
                    fields.method));
  }
  return check_method(*wanted.method, fields.method);
}

Result<void> check_span(Seconds span, Seconds most, std::string_view field, std::string reason) {
  if (span.count() >= 0 && span <= most) return {};
  return invalid(std::move(reason), std::string(field),
                 fmt::format("{} must be 0 to {} seconds.", field, most.count()));
}

Result<void> check_times(const Creation& wanted, Time now) {
  const FieldNames& fields = *wanted.fields;
  if (const auto ok = check_span(wanted.repeat, kMaxDelay, fields.repeat, "repeat_out_of_range");
      !ok) {
    return ok;
  }
  if (const auto ok = check_span(wanted.hold, kMaxDefer, fields.hold, "hold_out_of_range"); !ok) {
    return ok;
  }
  if (const auto ok = check_delay(wanted.delay, fields.delay); !ok) return ok;
  if (wanted.run_at) {
    if (const auto ok = check_run_at(*wanted.run_at, now, fields.run_at); !ok) return ok;
  }
  if (!wanted.deadline || traits(wanted.dialect).takes_past_deadline) return {};
  if (*wanted.deadline <= now) {
    return invalid("deadline_past", std::string(fields.deadline), "The deadline is in the past.");
  }
  if (*wanted.deadline < wanted.run_at.value_or(now + Seconds{wanted.delay})) {
    return invalid("deadline_before_start", std::string(fields.deadline),
                   "The deadline is before the task's start, so it could never run.");
  }
  return {};
}

Result<void> check_tags(const std::vector<std::string>& tags, std::string_view field) {
  if (tags.size() > kMaxTags) {
    return invalid("tags_too_many", std::string(field), fmt::format("At most {} tags.", kMaxTags));
  }
  for (const auto& tag : tags) {
    if (const auto ok = check_tag(tag, field); !ok) return ok;
  }
  return {};
}

Result<void> check_order(const Creation& wanted) {
  const FieldNames& fields = *wanted.fields;
  if (!wanted.key.empty()) {
    if (const auto ok = check_key(wanted.key, fields.key); !ok) return ok;
  }
  if (wanted.dependencies.size() > kMaxDependencies) {
    return invalid("dependencies_too_many", std::string(fields.dependencies),
                   fmt::format("At most {} dependencies.", kMaxDependencies));
  }
  for (const auto& id : wanted.dependencies) {
    if (!parse_task_id(id)) {
      return invalid("dependency_invalid", std::string(fields.dependencies),
                     fmt::format("{} must hold ids of tasks.", fields.dependencies));
    }
  }
  return {};
}

Result<void> check_callbacks(const Creation& wanted) {
  for (const auto& [url, field] :
       {std::pair{&wanted.on_complete_url, wanted.fields->on_complete_url},
        std::pair{&wanted.on_failure_url, wanted.fields->on_failure_url}}) {
    if (url->empty()) continue;
    if (const auto ok = parse_url(*url, field); !ok) return ok.error();
  }
  return {};
}

// A queue that was never told otherwise has a policy that not every dialect knows.
std::string default_policy(Dialect dialect, const QueueDefaults& queue) {
  const std::string_view own = traits(dialect).default_policy;
  if (!own.empty() && queue.retry_policy == QueueDefaults{}.retry_policy) return std::string(own);
  return queue.retry_policy;
}

std::string canonical(const std::string& url) {
  return url.empty() ? std::string() : parse_url(url, "")->canonical();
}

}  // namespace

Result<void> check_creation(const Creation& wanted, Time now) {
  const FieldNames& fields = *wanted.fields;
  if (const auto ok = check_queue_name(wanted.queue, fields.queue); !ok) return ok;
  if (const auto ok = check_target(wanted); !ok) return ok;
  if (const auto ok = check_headers(wanted.headers, fields.headers); !ok) return ok;
  if (!wanted.content_type.empty()) {
    if (const auto ok = check_content_type(wanted.content_type, fields.content_type); !ok) {
      return ok;
    }
  }
  if (wanted.max_retries && traits(wanted.dialect).limits_retries) {
    if (const auto ok = check_max_retries(*wanted.max_retries, fields.max_retries); !ok) return ok;
  }
  if (wanted.timeout) {
    if (const auto ok = check_timeout(*wanted.timeout, fields.timeout); !ok) return ok;
  }
  if (const auto ok = check_times(wanted, now); !ok) return ok;
  if (const auto ok = check_tags(wanted.tags, fields.tags); !ok) return ok;
  if (const auto ok = check_order(wanted); !ok) return ok;
  if (const auto ok = check_callbacks(wanted); !ok) return ok;
  if (wanted.retry_policy) {
    if (const auto ok = RetryPolicy::parse(*wanted.retry_policy, fields.retry_policy); !ok) {
      return ok.error();
    }
  }
  return {};
}

Result<NewTask> new_task(Creation wanted, const QueueDefaults& queue, std::string_view tenant,
                         const TaskId& id) {
  if (wanted.url.empty() && wanted.endpoint.empty()) wanted.endpoint = queue.endpoint;
  if (wanted.url.empty() && wanted.endpoint.empty()) return no_target(*wanted.fields);

  NewTask task;
  task.delay = Seconds{wanted.delay};
  task.run_at = wanted.run_at;
  TaskSpec& spec = task.spec;
  spec.id = id;
  spec.tenant = tenant;
  spec.dialect = wanted.dialect;
  spec.queue = std::move(wanted.queue);
  spec.url = canonical(wanted.url);
  spec.endpoint = std::move(wanted.endpoint);
  if (wanted.method) spec.method = std::move(*wanted.method);
  spec.headers = std::move(wanted.headers);
  spec.body_form = wanted.body_form;
  spec.body = std::move(wanted.body);
  spec.content_type = std::move(wanted.content_type);
  spec.priority = wanted.priority;
  spec.max_attempts = 1 + static_cast<int>(wanted.max_retries.value_or(queue.max_retries));
  if (queue.max_tries) spec.max_attempts = std::min(spec.max_attempts, *queue.max_tries);
  spec.retry_policy = wanted.retry_policy ? RetryPolicy::parse(*wanted.retry_policy)->text()
                                          : default_policy(wanted.dialect, queue);
  // An endpoint's timeout is looked up when it is called.
  const bool by_endpoint = !spec.endpoint.empty() && !wanted.timeout;
  spec.timeout = by_endpoint ? Milliseconds{0} : wanted.timeout.value_or(queue.timeout);
  spec.deadline = wanted.deadline;
  spec.tags = std::move(wanted.tags);
  spec.key = std::move(wanted.key);
  for (const auto& dependency : wanted.dependencies) {
    const TaskId known = *parse_task_id(dependency);
    if (std::find(spec.dependencies.begin(), spec.dependencies.end(), known) ==
        spec.dependencies.end()) {
      spec.dependencies.push_back(known);
    }
  }
  spec.on_complete_url = canonical(wanted.on_complete_url);
  spec.on_failure_url = canonical(wanted.on_failure_url);
  spec.extra = std::move(wanted.extra);
  spec.repeat = wanted.repeat;
  spec.hold = wanted.hold;
  spec.load_results = wanted.load_results;
  return task;
}

}  // namespace postern
