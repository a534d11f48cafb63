#include "core/wire/queue_json.h"

#include <algorithm>

#include "core/wire/values.h"

namespace postern::wire {
namespace {

void write_limit(JsonWriter& out, const std::optional<std::int64_t>& limit) {
  out.number(limit.value_or(-1));
}

void write_retention(JsonWriter& out, const Queue& queue) {
  const QueueSettings& settings = queue.settings;
  out.begin_object();
  out.member(queue_field::kKeepCompleted, settings.keep_completed);
  out.member(queue_field::kKeepFailed, settings.keep_failed);
  out.member(queue_field::kKeepCancelled, settings.keep_cancelled);
  out.end_object();
}

void write_depth(JsonWriter& out, const QueueStats& stats) {
  out.begin_object();
  out.member("total", stats.totals.depth());
  if (const auto& gauge = stats.gauge) {
    out.member("ready", gauge->ready);
    out.member("delayed", gauge->delayed);
    out.member("active", gauge->active);
    out.member("blocked", gauge->blocked);
    out.member("estimated", gauge->estimated);
    if (gauge->oldest_due) {
      const auto waited = std::chrono::floor<Seconds>(stats.read_at - *gauge->oldest_due);
      out.member("oldest_due_seconds", std::int64_t{std::max(waited, Seconds{0}).count()});
    }
    out.member("seen_at", format_rfc3339(gauge->seen_at));
  }
  out.end_object();
}

void write_totals(JsonWriter& out, const QueueStats& stats) {
  const QueueTotals& totals = stats.totals;
  out.begin_object();
  out.member("created", totals.created);
  out.member("retried", totals.retried);
  out.member("deleted", totals.deleted);
  out.member("completed", totals.completed);
  out.member("failed", totals.failed);
  out.member("cancelled", totals.cancelled);
  out.member("attempts_success", totals.attempts_success);
  out.member("attempts_failed", totals.attempts_failed);
  out.member("attempts_lost", totals.attempts_lost);
  out.end_object();
}

using Out = JsonWriter;

constexpr Field<Queue> kQueueFields[] = {
    {.name = queue_field::kName, .write = [](Out& out, const Queue& q) { out.string(q.name); }},
    {.name = queue_field::kTime,
     .write = [](Out& out, const Queue& q) { write_time(out, q.read_at); }},
    {.name = queue_field::kMaxAge,
     .write = [](Out& out,
                 const Queue& q) { out.number(std::int64_t{q.settings.max_age.count()}); },
     .unit = Unit::nanoseconds},
    {.name = queue_field::kMaxEntries,
     .write =
         [](Out& out, const Queue& q) {
           out.number(q.settings.max_entries > 0 ? q.settings.max_entries : -1);
         },
     .unit = Unit::limit},
    {.name = queue_field::kDiscardOld,
     .write = [](Out& out, const Queue& q) { out.boolean(q.settings.discard_old); }},
    {.name = queue_field::kMaxTries,
     .write = [](Out& out, const Queue& q) { write_limit(out, q.settings.max_tries); },
     .unit = Unit::limit},
    {.name = queue_field::kMaxRuntime,
     .write = [](Out& out,
                 const Queue& q) { out.number(std::int64_t{q.settings.max_runtime.count()}); },
     .unit = Unit::nanoseconds},
    {.name = queue_field::kMaxConcurrent,
     .write = [](Out& out, const Queue& q) { write_limit(out, q.settings.max_concurrent); },
     .unit = Unit::limit},
    // What follows is not asyncjobs's.
    {.name = queue_field::kPaused,
     .write = [](Out& out, const Queue& q) { out.boolean(q.paused); }},
    {.name = queue_field::kRateLimit,
     .write =
         [](Out& out, const Queue& q) {
           const auto& limit = q.settings.rate_limit;
           limit ? write_rate_limit(out, *limit) : static_cast<void>(out.null());
         }},
    {.name = queue_field::kRetention, .write = write_retention},
    {.name = queue_field::kMaxRetries,
     .write = [](Out& out, const Queue& q) { out.number(q.settings.max_retries); }},
    {.name = queue_field::kRetryPolicy,
     .write = [](Out& out, const Queue& q) { write_retry_policy(out, q.settings.retry_policy); }},
    {.name = queue_field::kTimeout,
     .write = [](Out& out,
                 const Queue& q) { out.number(std::int64_t{q.settings.timeout.count()}); },
     .unit = Unit::seconds},
    {.name = queue_field::kEndpoint,
     .write =
         [](Out& out, const Queue& q) {
           const auto& endpoint = q.settings.endpoint;
           endpoint ? out.string(*endpoint) : out.null();
         }},
    {.name = queue_field::kCreatedAt,
     .write = [](Out& out, const Queue& q) { write_time(out, q.created_at); }},
    {.name = queue_field::kUpdatedAt,
     .write = [](Out& out, const Queue& q) { write_time(out, q.updated_at); }},
};

constexpr Field<QueueStats> kStatsFields[] = {
    {.name = queue_field::kTime,
     .write = [](Out& out, const QueueStats& s) { write_time(out, s.read_at); }},
    {.name = queue_field::kPaused,
     .write = [](Out& out, const QueueStats& s) { out.boolean(s.paused); }},
    {.name = queue_field::kEnginePaused,
     .write = [](Out& out, const QueueStats& s) { out.boolean(s.engine_paused); }},
    {.name = "depth", .write = write_depth},
    {.name = "totals", .write = write_totals},
};

}  // namespace

Fields<Queue> queue_fields() { return kQueueFields; }

void write_queue(JsonWriter& out, const Queue& queue) { write_object(out, kQueueFields, queue); }

Fields<QueueStats> queue_stats_fields() { return kStatsFields; }

void write_queue_stats(JsonWriter& out, std::string_view name, const QueueStats& stats) {
  out.begin_object().member("queue", name);
  write_members(out, kStatsFields, stats);
  out.end_object();
}

}  // namespace postern::wire
