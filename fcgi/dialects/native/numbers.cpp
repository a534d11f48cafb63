#include "fcgi/dialects/native/numbers.h"

#include <optional>
#include <string>
#include <utility>

#include "core/base/json_writer.h"
#include "core/model/endpoint.h"
#include "core/model/validation.h"
#include "fcgi/api/endpoints.h"
#include "fcgi/api/metrics.h"
#include "fcgi/api/queues.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/query.h"

namespace postern::native_numbers {
namespace {

using Of = SeriesScope::Of;

constexpr int kMaxSeries = 100;
constexpr std::int64_t kStepSeconds = 60;

Result<SeriesScope> parse_series(std::string_view text) {
  Result<Query> parsed = Query::parse(text);
  if (!parsed) return parsed.error();
  Query& query = *parsed;
  SeriesScope scope;
  const auto queue = query.text("queue"), endpoint = query.text("endpoint"), by = query.text("by");
  if (int{queue.has_value()} + int{endpoint.has_value()} + int{by.has_value()} > 1) {
    query.refuse(
        invalid("scope_invalid", "by", "Give one of queue, endpoint and by, not several."));
  }
  if (queue) {
    query.require(check_queue_name(*queue, "queue"));
    scope = {.of = Of::queue, .name = *queue};
  }
  if (endpoint) {
    const auto name = endpoint_name(*endpoint, "endpoint");
    query.require(name ? Result<void>() : name.error());
    if (name) scope = {.of = Of::endpoint, .name = *name};
  }
  if (by && *by != "queue" && *by != "endpoint") {
    query.refuse(invalid("scope_invalid", "by", "by must be queue or endpoint."));
  }
  if (by) scope.of = *by == "queue" ? Of::by_queue : Of::by_endpoint;
  scope.minutes = query.count("minutes", "minutes_invalid", db::kMostMinutes, scope.minutes);
  scope.limit = query.count("limit", "limit_invalid", kMaxSeries, scope.limit);
  if (const auto ok = query.finish(); !ok) return ok.error();
  return scope;
}

// Another tenant's is not there.
Result<void> check_there(const Call& call, const SeriesScope& scope) {
  if (scope.of == Of::queue) {
    const auto queue = call.use.queues.get(call.caller, scope.name);
    if (!queue) return queue.error();
  }
  if (scope.of == Of::endpoint) {
    const auto endpoint = call.use.endpoints.get(call.caller, scope.name);
    if (!endpoint) return endpoint.error();
  }
  return {};
}

template <class T>
void write_or_null(JsonWriter& out, const std::optional<T>& value) {
  if (value) {
    out.number(*value);
  } else {
    out.null();
  }
}

void write_or_null(JsonWriter& out, std::string_view name,
                   const std::optional<std::string_view>& text) {
  out.key(name);
  text ? out.string(*text) : out.null();
}

void write_series(JsonWriter& out, const db::Series& series) {
  using Kind = std::optional<std::int64_t> db::MinuteNumbers::*;
  constexpr std::pair<const char*, Kind> kKinds[] = {
      {"created", &db::MinuteNumbers::created},
      {"completed", &db::MinuteNumbers::completed},
      {"failed", &db::MinuteNumbers::failed},
      {"cancelled", &db::MinuteNumbers::cancelled},
      {"attempts", &db::MinuteNumbers::attempts},
      {"attempts_failed", &db::MinuteNumbers::attempts_failed},
      {"p95_ms", &db::MinuteNumbers::p95_ms},
  };
  out.begin_object();
  std::optional<std::string_view> endpoint;
  if (series.endpoint) endpoint = endpoint_path_name(*series.endpoint);
  write_or_null(out, "queue", series.queue);
  write_or_null(out, "endpoint", endpoint);
  for (const auto& [name, kind] : kKinds) {
    out.key(name).begin_array();
    for (const auto& minute : series.minutes) write_or_null(out, minute.*kind);
    out.end_array();
  }
  out.end_object();
}

Result<db::FailureFilter> parse_failures(std::string_view text) {
  Result<Query> parsed = Query::parse(text);
  if (!parsed) return parsed.error();
  Query& query = *parsed;
  db::FailureFilter filter;
  if (const auto queue = query.text("queue")) {
    query.require(check_queue_name(*queue, "queue"));
    filter.queue = *queue;
  }
  if (const auto endpoint = query.text("endpoint")) {
    query.require(check_name(*endpoint, "endpoint", "endpoint_invalid"));
    filter.endpoint = *endpoint;
  }
  native_wire::read_reason(query, filter.reason);
  filter.created_since = query.time("created_since");
  filter.created_until = query.time("created_until");
  if (const auto ok = query.finish(); !ok) return ok.error();
  return filter;
}

void write_group(JsonWriter& out, const db::FailureGroup& group) {
  out.begin_object();
  out.member("reason", group.reason).member("queue", group.queue);
  write_or_null(out, "endpoint", group.endpoint);
  write_or_null(out, "host", group.host);
  out.member("count", group.count);
  out.member("first_at", format_rfc3339(group.first_at));
  out.member("last_at", format_rfc3339(group.last_at));
  out.member("last_error", group.last_error);
  out.member("last_task", to_typeid(group.last_task));
  out.end_object();
}

}  // namespace

Result<HttpResponse> series(const Call& call) {
  const Result<SeriesScope> scope = parse_series(call.request.query);
  if (!scope) return scope.error();
  if (const auto ok = check_there(call, *scope); !ok) return ok.error();
  const auto found = call.use.metrics.series(call.caller, *scope);
  JsonWriter out;
  out.begin_object().member("since", format_rfc3339(found.since));
  out.member("step_seconds", kStepSeconds);
  out.member("minutes", std::int64_t{scope->minutes});
  out.key("series").begin_array();
  for (const auto& each : found.series) write_series(out, each);
  out.end_array().end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> failures(const Call& call) {
  const auto filter = parse_failures(call.request.query);
  if (!filter) return filter.error();
  const auto found = call.use.metrics.failures(call.caller, *filter);
  JsonWriter out;
  out.begin_object().key("groups").begin_array();
  for (const auto& group : found.groups) write_group(out, group);
  out.end_array();
  out.member("looked", found.looked).member("complete", found.complete);
  out.end_object();
  return json_response(200, out.take());
}

}  // namespace postern::native_numbers
