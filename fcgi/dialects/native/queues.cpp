#include "fcgi/dialects/native/queues.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "fcgi/api/api.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::native_wire {
namespace {

const QueueSettings kDefaults;

void read_retention(FieldReader& fields, QueueSettings& settings) {
  if (!fields.has("retention")) return;
  const auto raw = fields.object("retention", "invalid_type");
  auto parts = FieldReader::parse(raw.value_or("{}"), "retention");
  if (!parts) return fields.refuse(parts.error());
  for (const auto& [name, kept] : {std::pair{"completed", &settings.keep_completed},
                                   std::pair{"failed", &settings.keep_failed},
                                   std::pair{"cancelled", &settings.keep_cancelled}}) {
    if (!raw || parts->has(name)) *kept = parts->text(name).value_or("standard");
  }
  fields.require(parts->finish());
}

void read_settings(FieldReader& fields, QueueSettings& settings) {
  using std::chrono::nanoseconds;
  if (fields.has("max_age")) settings.max_age = fields.duration("max_age").value_or(nanoseconds{0});
  if (fields.has("max_entries")) settings.max_entries = fields.integer("max_entries").value_or(0);
  if (fields.has("discard_old")) {
    settings.discard_old = fields.boolean("discard_old").value_or(kDefaults.discard_old);
  }
  if (fields.has("max_runtime")) {
    settings.max_runtime = fields.duration("max_runtime").value_or(nanoseconds{0});
  }
  if (fields.has("max_concurrent")) settings.max_concurrent = fields.integer("max_concurrent");
  if (fields.has("rate_limit")) settings.rate_limit = fields.rate_limit("rate_limit");
  read_retention(fields, settings);
  if (fields.has("max_tries")) settings.max_tries = fields.integer("max_tries");
  if (fields.has("max_retries")) {
    settings.max_retries = fields.integer("max_retries").value_or(kDefaults.max_retries);
  }
  if (fields.has("retry_policy")) {
    settings.retry_policy = fields.text_or_object("retry_policy").value_or(kDefaults.retry_policy);
  }
  if (fields.has("timeout_seconds")) {
    // Cut, so that the milliseconds fit; it is refused all the same.
    constexpr std::int64_t kFar = 1'000'000'000;
    const auto seconds = fields.integer("timeout_seconds");
    settings.timeout = seconds ? Seconds{std::clamp(*seconds, -kFar, kFar)} : kDefaults.timeout;
  }
  if (fields.has("endpoint")) settings.endpoint = fields.text("endpoint");
}

HttpResponse queue_response(int status, const Queue& queue) {
  JsonWriter out;
  write_queue(out, queue);
  return json_response(status, out.take());
}

Result<HttpResponse> queue_or_error(const Result<Queue>& queue) {
  if (!queue) return queue.error();
  return queue_response(200, *queue);
}

void write_limit(JsonWriter& out, std::string_view name, std::optional<std::int64_t> limit) {
  out.member(name, limit.value_or(-1));
}

}  // namespace

Result<QueueSettings> parse_queue(std::string_view body, QueueSettings settings) {
  Result<FieldReader> fields = FieldReader::parse(body);
  if (!fields) return fields.error();
  read_settings(*fields, settings);
  if (const auto ok = fields->finish(); !ok) return ok.error();
  return settings;
}

void write_queue(JsonWriter& out, const Queue& queue) {
  const QueueSettings& settings = queue.settings;
  out.begin_object();
  out.member("name", queue.name);
  out.member("time", format_rfc3339(queue.read_at));
  out.member("max_age", std::int64_t{settings.max_age.count()});
  out.member("max_entries", settings.max_entries > 0 ? settings.max_entries : -1);
  out.member("discard_old", settings.discard_old);
  write_limit(out, "max_tries", settings.max_tries);
  out.member("max_runtime", std::int64_t{settings.max_runtime.count()});
  write_limit(out, "max_concurrent", settings.max_concurrent);

  out.member("paused", queue.paused);
  out.key("rate_limit");
  if (const auto& limit = settings.rate_limit) {
    out.begin_object().member("count", limit->count);
    out.member("period_seconds", std::int64_t{limit->period.count()});
    if (limit->burst) out.member("burst", *limit->burst);
    out.end_object();
  } else {
    out.null();
  }
  out.key("retention").begin_object();
  out.member("completed", settings.keep_completed);
  out.member("failed", settings.keep_failed);
  out.member("cancelled", settings.keep_cancelled);
  out.end_object();
  out.member("max_retries", settings.max_retries);
  out.key("retry_policy");
  settings.retry_policy.starts_with('{') ? out.raw(settings.retry_policy)
                                         : out.string(settings.retry_policy);
  out.member("timeout_seconds", std::int64_t{settings.timeout.count()});
  out.key("endpoint");
  settings.endpoint ? out.string(*settings.endpoint) : out.null();
  out.member("created_at", format_rfc3339(queue.created_at));
  out.member("updated_at", format_rfc3339(queue.updated_at));
  out.end_object();
}

void write_queue_stats(JsonWriter& out, std::string_view name, const QueueStats& stats) {
  out.begin_object();
  out.member("queue", name);
  out.member("time", format_rfc3339(stats.read_at));
  out.key("depth").begin_object();
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
  const QueueTotals& totals = stats.totals;
  out.key("totals").begin_object();
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
  out.end_object();
}

Result<HttpResponse> create_queue(const Call& call) {
  Result<FieldReader> fields = fields_of(call);
  if (!fields) return fields.error();
  const std::string name = fields->text("name").value_or("");
  QueueSettings settings;
  read_settings(*fields, settings);
  if (const auto ok = fields->finish(); !ok) return ok.error();
  const auto queue = call.api.queues().create(call.caller, name, std::move(settings));
  if (!queue) return queue.error();
  return queue_response(201, *queue);
}

Result<HttpResponse> list_queues(const Call& call) {
  Result<Query> query = Query::parse(call.request.query);
  if (!query) return query.error();
  const bool all = query->flag("all", "all_invalid");
  if (const auto ok = query->finish(); !ok) return ok.error();
  JsonWriter out;
  out.begin_object().key("queues").begin_array();
  for (const Queue& queue : call.api.queues().list(call.caller)) {
    const bool unlisted = std::ranges::find(kUnlistedQueues, queue.name) != kUnlistedQueues.end();
    if (all || !unlisted) write_queue(out, queue);
  }
  out.end_array().end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> get_queue(const Call& call) {
  return queue_or_error(call.api.queues().get(call.caller, call.path["name"]));
}

Result<HttpResponse> put_queue(const Call& call) {
  auto settings = parse_queue(call.request.body, {});
  if (!settings) return settings.error();
  const auto put = call.api.queues().put(call.caller, call.path["name"], std::move(*settings));
  if (!put) return put.error();
  return queue_response(put->made ? 201 : 200, put->queue);
}

Result<HttpResponse> change_queue(const Call& call) {
  return queue_or_error(call.api.queues().change(
      call.caller, call.path["name"],
      [&](QueueSettings settings) { return parse_queue(call.request.body, std::move(settings)); }));
}

Result<HttpResponse> delete_queue(const Call& call) {
  Result<Query> query = Query::parse(call.request.query);
  if (!query) return query.error();
  const bool force = query->flag("force", "force_invalid");
  if (const auto ok = query->finish(); !ok) return ok.error();
  if (const auto done = call.api.queues().remove(call.caller, call.path["name"], force); !done) {
    return done.error();
  }
  return HttpResponse{204, {}, {}};
}

Result<HttpResponse> purge_queue(const Call& call) {
  if (const auto done = call.api.queues().purge(call.caller, call.path["name"]); !done) {
    return done.error();
  }
  return HttpResponse{202, {}, {}};
}

Result<HttpResponse> pause_queue(const Call& call) {
  return queue_or_error(call.api.queues().pause(call.caller, call.path["name"], true));
}

Result<HttpResponse> resume_queue(const Call& call) {
  return queue_or_error(call.api.queues().pause(call.caller, call.path["name"], false));
}

Result<HttpResponse> queue_stats(const Call& call) {
  const auto stats = call.api.queues().stats(call.caller, call.path["name"]);
  if (!stats) return stats.error();
  JsonWriter out;
  write_queue_stats(out, call.path["name"], *stats);
  return json_response(200, out.take());
}

}  // namespace postern::native_wire
