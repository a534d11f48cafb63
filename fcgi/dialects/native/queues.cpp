#include "fcgi/dialects/native/queues.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "fcgi/api/queues.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::native_wire {
namespace {

void read_retention(FieldReader& fields, QueueSettings& settings) {
  using namespace wire::queue_field;
  if (!fields.has(kRetention)) return;
  const auto raw = fields.object(kRetention, "invalid_type");
  auto parts = FieldReader::parse(raw.value_or("{}"), kRetention);
  if (!parts) return fields.refuse(parts.error());
  for (const auto& [name, kept] : {std::pair{kKeepCompleted, &settings.keep_completed},
                                   std::pair{kKeepFailed, &settings.keep_failed},
                                   std::pair{kKeepCancelled, &settings.keep_cancelled}}) {
    if (!raw || parts->has(name)) *kept = parts->text(name).value_or("standard");
  }
  fields.require(parts->finish());
}

// What is there changes, null brings the default back.
void read_settings(FieldReader& fields, QueueSettings& settings, const QueueSettings& defaults) {
  using namespace wire::queue_field;
  if (fields.has(kMaxAge)) settings.max_age = fields.duration(kMaxAge).value_or(defaults.max_age);
  if (fields.has(kMaxEntries)) {
    settings.max_entries = fields.integer(kMaxEntries).value_or(defaults.max_entries);
  }
  if (fields.has(kDiscardOld)) {
    settings.discard_old = fields.boolean(kDiscardOld).value_or(defaults.discard_old);
  }
  if (fields.has(kMaxRuntime)) {
    settings.max_runtime = fields.duration(kMaxRuntime).value_or(defaults.max_runtime);
  }
  if (fields.has(kMaxConcurrent)) {
    const auto limit = fields.integer(kMaxConcurrent);
    settings.max_concurrent = limit ? limit : defaults.max_concurrent;
  }
  if (fields.has(kRateLimit)) settings.rate_limit = fields.rate_limit(kRateLimit);
  read_retention(fields, settings);
  if (fields.has(kMaxTries)) settings.max_tries = fields.integer(kMaxTries);
  if (fields.has(kMaxRetries)) {
    settings.max_retries = fields.integer(kMaxRetries).value_or(defaults.max_retries);
  }
  if (fields.has(kRetryPolicy)) {
    settings.retry_policy = fields.text_or_object(kRetryPolicy).value_or(defaults.retry_policy);
  }
  if (fields.has(kTimeout)) {
    // Cut, so that the milliseconds fit; it is refused all the same.
    constexpr std::int64_t kFar = 1'000'000'000;
    const auto seconds = fields.integer(kTimeout);
    settings.timeout = seconds ? Seconds{std::clamp(*seconds, -kFar, kFar)} : defaults.timeout;
  }
  if (fields.has(kEndpoint)) settings.endpoint = fields.text(kEndpoint);
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

}  // namespace

Result<QueueSettings> parse_queue(std::string_view body, QueueSettings settings) {
  Result<FieldReader> fields = FieldReader::parse(body);
  if (!fields) return fields.error();
  read_settings(*fields, settings, {});
  if (const auto ok = fields->finish(); !ok) return ok.error();
  return settings;
}

Result<HttpResponse> create_queue(const Call& call) { return create_queue_with(call, {}); }

Result<HttpResponse> create_queue_with(const Call& call, const QueueSettings& defaults) {
  Result<FieldReader> fields = fields_of(call);
  if (!fields) return fields.error();
  const std::string name = fields->text(wire::queue_field::kName).value_or("");
  QueueSettings settings = defaults;
  read_settings(*fields, settings, defaults);
  if (const auto ok = fields->finish(); !ok) return ok.error();
  // Where there is a default, 0 is no way to say "no limit": to Go it is a value that was not
  // given.
  if (settings.max_runtime.count() == 0) settings.max_runtime = defaults.max_runtime;
  const auto queue = call.use.queues.create(call.caller, name, std::move(settings));
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
  for (const Queue& queue : call.use.queues.list(call.caller)) {
    const bool unlisted = std::ranges::find(kUnlistedQueues, queue.name) != kUnlistedQueues.end();
    if (all || !unlisted) write_queue(out, queue);
  }
  out.end_array().end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> get_queue(const Call& call) {
  return queue_or_error(call.use.queues.get(call.caller, call.path["name"]));
}

Result<HttpResponse> put_queue(const Call& call) {
  auto settings = parse_queue(call.request.body, {});
  if (!settings) return settings.error();
  const auto put = call.use.queues.put(call.caller, call.path["name"], std::move(*settings));
  if (!put) return put.error();
  return queue_response(put->made ? 201 : 200, put->queue);
}

Result<HttpResponse> change_queue(const Call& call) {
  return queue_or_error(call.use.queues.change(
      call.caller, call.path["name"],
      [&](QueueSettings settings) { return parse_queue(call.request.body, std::move(settings)); }));
}

Result<HttpResponse> delete_queue(const Call& call) {
  Result<Query> query = Query::parse(call.request.query);
  if (!query) return query.error();
  const bool force = query->flag("force", "force_invalid");
  if (const auto ok = query->finish(); !ok) return ok.error();
  if (const auto done = call.use.queues.remove(call.caller, call.path["name"], force); !done) {
    return done.error();
  }
  return HttpResponse{204, {}, {}};
}

Result<HttpResponse> purge_queue(const Call& call) {
  if (const auto done = call.use.queues.purge(call.caller, call.path["name"]); !done) {
    return done.error();
  }
  return HttpResponse{202, {}, {}};
}

Result<HttpResponse> pause_queue(const Call& call) {
  return queue_or_error(call.use.queues.pause(call.caller, call.path["name"], true));
}

Result<HttpResponse> resume_queue(const Call& call) {
  return queue_or_error(call.use.queues.pause(call.caller, call.path["name"], false));
}

Result<HttpResponse> queue_stats(const Call& call) {
  const auto stats = call.use.queues.stats(call.caller, call.path["name"]);
  if (!stats) return stats.error();
  JsonWriter out;
  write_queue_stats(out, call.path["name"], *stats);
  return json_response(200, out.take());
}

}  // namespace postern::native_wire
