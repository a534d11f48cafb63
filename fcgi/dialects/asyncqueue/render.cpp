#include <algorithm>
#include <array>

#include "core/model/phase.h"
#include "core/model/priority.h"
#include "core/wire/asyncqueue.h"
#include "core/wire/attempts.h"
#include "fcgi/dialects/asyncqueue/wire.h"

namespace postern::asyncqueue_wire {
namespace {

void write_or_null(JsonWriter& out, std::string_view key, std::string_view text) {
  out.key(key);
  text.empty() ? out.null() : out.string(text);
}

std::optional<Time> started_at(const Task& task) {
  if (const auto first = attempt_times(task.attempts).first) return first;
  return task.state == State::active ? task.claimed_at : std::nullopt;
}

// The nearest of the two words this wire has: linear for what does not double.
std::string_view backoff_of(std::string_view policy) {
  constexpr std::array kSteady{"linear", "fixed", "taskmq-fixed", "none"};
  return std::find(kSteady.begin(), kSteady.end(), policy) == kSteady.end() ? "exponential"
                                                                            : "linear";
}

void write_times(JsonWriter& out, const Task& task, const AsyncQueueExtra& extra) {
  out.key("maxWaitTime").number(extra.max_wait_time);
  out.key("timeout").number(extra.timeout);
  // Another dialect's task has no such field, but may wait for its time as well.
  const bool delayed = phase_of(task) == Phase::delayed;
  write_asyncqueue_time(out, "delayUntil",
                        delayed ? std::optional(task.run_at) : extra.delay_until);
}

}  // namespace

void write_task(JsonWriter& out, const Task& task) {
  const TaskSpec& spec = task.spec;
  out.begin_object();
  out.member("id", to_uuid(spec.id));
  out.member("teamId", spec.tenant);
  out.member("status", asyncqueue_status(phase_of(task)));
  write_or_null(out, "targetUrl", spec.url.empty() ? spec.endpoint : spec.url);
  out.member("method", spec.method);
  out.key("headers").begin_object();
  for (const Header& header : spec.headers) out.member(header.name, header.value);
  out.end_object();
  out.key("body");
  spec.body ? out.string(*spec.body) : out.null();
  write_times(out, task, asyncqueue_extra_of(spec));
  out.member("maxRetries", std::int64_t{spec.max_attempts - 1});
  out.member("retryBackoff", backoff_of(spec.retry_policy));
  out.member("priority", shown_priority(spec.priority));
  write_or_null(out, "onCompleteUrl", spec.on_complete_url);
  out.member("waitForSignal", spec.hold.count() > 0);
  out.key("provider").null();
  out.key("pollConfig").null();
  out.member("retryCount", asyncqueue_retries(task));
  write_asyncqueue_outcome(out, task);
  write_asyncqueue_time(out, "createdAt", task.created_at);
  write_asyncqueue_time(out, "startedAt", started_at(task));
  write_asyncqueue_time(out, "completedAt", task.finished_at);
  out.end_object();
}

std::string render_task(const Task& task) {
  JsonWriter out;
  out.begin_object().key("task");
  write_task(out, task);
  out.end_object();
  return out.take();
}

std::string render_created(const Task& task) {
  JsonWriter out;
  out.begin_object().key("task");
  write_task(out, task);
  if (const auto token = signal_token(task.spec)) out.member("signalToken", *token);
  out.end_object();
  return out.take();
}

std::string render_page(const db::Page& page, const db::TaskFilter& filter) {
  JsonWriter out;
  out.begin_object().key("tasks").begin_array();
  for (const Task& task : page.tasks) write_task(out, task);
  out.end_array();
  out.key("pagination").begin_object();
  out.member("total", page.total);
  out.member("limit", std::int64_t{filter.limit});
  out.member("offset", std::int64_t{filter.offset});
  out.member("hasMore", page.next.has_value());
  out.end_object().end_object();
  return out.take();
}

}  // namespace postern::asyncqueue_wire
