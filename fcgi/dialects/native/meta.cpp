#include "fcgi/dialects/native/meta.h"

#include <chrono>

#include "core/base/json_writer.h"
#include "core/model/retry_policy.h"
#include "core/program/clock.h"
#include "fcgi/api/metrics.h"
#include "fcgi/api/status.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/auth/placements.h"
#include "fcgi/dialects/native/health.h"
#include "fcgi/dialects/native/metrics_text.h"
#include "fcgi/openapi/document.h"

namespace postern::native_meta {
namespace {

void write_counts(JsonWriter& out, const db::Counts& counts) {
  out.member("created", counts.created);
  out.member("deleted", counts.deleted);
  out.member("retried", counts.retried);
  out.key("finished").begin_object();
  out.member("completed", counts.completed);
  out.member("failed", counts.failed);
  out.member("cancelled", counts.cancelled);
  out.end_object();
  out.key("attempts").begin_object();
  out.member("success", counts.succeeded);
  out.member("failed", counts.failed_attempts);
  out.member("lost", counts.lost);
  out.end_object();
}

void write_queue(JsonWriter& out, const db::QueueNumbers& queue, Time now) {
  out.begin_object();
  out.member("name", queue.queue);
  out.member("paused", queue.paused);
  out.key("depth").begin_object();
  out.member("ready", queue.depth.ready);
  out.member("delayed", queue.depth.delayed);
  out.member("active", queue.depth.active);
  out.member("blocked", queue.depth.blocked);
  out.end_object();
  if (!queue.depth.known) out.member("depth_unknown", true);
  if (queue.depth.estimated) out.member("depth_estimated", true);
  out.key("oldest_due_seconds").number(db::oldest_due_seconds(queue.depth, now));
  write_counts(out, queue.counts);
  out.end_object();
}

}  // namespace

Result<HttpResponse> whoami(const Call& call) {
  const Caller& caller = call.caller;
  JsonWriter out;
  const auto text_or_null = [&](std::string_view key, std::string_view text) {
    out.key(key);
    text.empty() ? out.null() : out.string(text);
  };
  out.begin_object();
  text_or_null("identity", caller.identity);
  text_or_null("tenant", caller.tenant);
  text_or_null("role", name(caller.role));
  out.member("sandbox", caller.sandbox);
  out.member("auth", caller.unchecked ? "none" : "required");
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> info(const Call& call) {
  const db::Totals totals = call.use.status.totals(call.caller);
  JsonWriter out;
  out.begin_object();
  out.member("version", POSTERN_VERSION);
  // The handlers' own is none, as nginx authenticates.
  out.member("auth", call.request.auth == "mtls" ? "mtls" : "none");
  out.member("queue_count", totals.queues);
  out.member("task_count", totals.tasks);
  out.key("features").begin_object();
  for (const char* feature : {"idempotency_key", "long_poll", "cursor", "ndjson", "batch",
                              "bulk_retry", "sql_enqueue", "endpoints", "schedules", "callbacks",
                              "dependencies", "ordering_key", "defer", "stats", "metrics"}) {
    out.member(feature, true);
  }
  out.end_object();
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> openapi(const Call& call) {
  return json_response(
      200, openapi_document(call.dialect.value_or(Dialect::native), call.request.base_path));
}

Result<HttpResponse> retry_policies(const Call&) { return policies_response(RetryPolicy::named()); }

HttpResponse policies_response(const std::vector<RetryPolicy::Named>& policies) {
  JsonWriter out;
  out.begin_object().key("policies").begin_array();
  for (const auto& policy : policies) {
    out.begin_object().member("name", policy.name);
    out.key("intervals").begin_array();
    for (const auto interval : policy.intervals) {
      out.number(std::int64_t{std::chrono::nanoseconds(interval).count()});
    }
    out.end_array();
    out.key("jitter").number(policy.jitter);
    out.end_object();
  }
  out.end_array().end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> stats(const Call& call) {
  const db::Numbers numbers = call.use.metrics.stats(call.caller);
  std::int64_t in_flight = 0;
  for (const auto& each : numbers.schedulers) in_flight += each.up ? each.in_flight : 0;
  JsonWriter out;
  out.begin_object();
  out.member("paused", numbers.engine_paused);
  out.key("totals").begin_object();
  write_counts(out, numbers.counts);
  out.end_object();
  out.key("queues").begin_array();
  for (const auto& each : numbers.queues) write_queue(out, each, numbers.now);
  out.end_array();
  out.member("queues_left_out", numbers.queues_left_out);
  out.member("in_flight", in_flight);
  out.key("schedulers").begin_array();
  for (const auto& each : numbers.schedulers) write_scheduler(out, each);
  out.end_array();
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> metrics(const Call& call) {
  HttpResponse response;
  response.body =
      metrics_text(*call.use.metrics.all(), POSTERN_VERSION, call.use.placements.cell());
  response.header("Content-Type", kMetricsType);
  return response;
}

// Answers without the database, so that it says something about this program alone.
Result<HttpResponse> healthz(const Call&) {
  const auto now = wall_clock();
  JsonWriter out;
  out.begin_object().member("status", "ok").member("time", format_rfc3339(now)).end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> readyz(const Call& call) {
  const Readiness ready = call.use.status.readiness();
  JsonWriter out;
  out.begin_object().member("ready", ready.ready).key("checks").begin_object();
  const auto check = [&](std::string_view name, bool ok, std::string_view error) {
    out.key(name).begin_object().member("ok", ok);
    if (!ok) out.member("error", error);
    out.end_object();
  };
  check("tasks", ready.tasks, "tasks storage unreachable");
  check("config", ready.config, "configuration storage unreachable");
  // Open to anybody, so it names none.
  const auto [up, seconds_since] = ready.schedulers.value_or(db::SchedulersHeard{});
  out.key("schedulers").begin_object().member("ok", up > 0).member("count", up);
  out.key("seconds_since");
  seconds_since ? out.number(std::int64_t(*seconds_since)) : out.null();
  if (up == 0) {
    out.member("error", ready.schedulers ? "no scheduler was heard for a minute"
                                         : "configuration storage unreachable");
  }
  out.end_object();
  out.end_object().end_object();
  return json_response(ready.ready ? 200 : 503, out.take());
}

}  // namespace postern::native_meta
