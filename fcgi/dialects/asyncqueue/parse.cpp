#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "core/model/phase.h"
#include "core/model/priority.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/time/isoformat.h"
#include "core/wire/asyncqueue.h"
#include "fcgi/dialects/asyncqueue/wire.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::asyncqueue_wire {
namespace {

constexpr FieldNames kFields{
    .url = "targetUrl",
    .content_type = "headers",
    .max_retries = "maxRetries",
    .retry_policy = "retryBackoff",
    .delay = "delayUntil",
    .run_at = "delayUntil",
    .on_complete_url = "onCompleteUrl",
    .on_failure_url = "onCompleteUrl",
    .hold = "maxWaitTime",
};

constexpr std::int64_t kDefaultRetries = 3, kMostRetries = 10;
constexpr int kDefaultLimit = 20, kMostLimit = 100;
constexpr std::int64_t kMostOffset = 10'000;

Error out_of_range(std::string_view field, std::string_view range) {
  return invalid(fmt::format("{}_out_of_range", field), std::string(field),
                 fmt::format("{} must be {}.", field, range));
}

// What AsyncQueue's plans offer and this server has not.
void refuse_unsupported(FieldReader& fields, const Headers& headers) {
  for (const char* field : {"provider", "pollConfig"}) {
    if (!fields.present(field)) continue;
    fields.refuse(invalid("not_supported", field,
                          fmt::format("{} is not supported: there is no AI polling.", field)));
  }
  for (const Header& header : headers) {
    if (!header.value.starts_with("tok_")) continue;
    const std::string field = fmt::format("headers.{}", header.name);
    fields.refuse(invalid("not_supported", field,
                          fmt::format("{} is not supported: there is no token vault.", field)));
  }
}

double read_seconds(FieldReader& fields, std::string_view name, double otherwise, Seconds most) {
  const double value = fields.number(name).value_or(otherwise);
  if (value >= 1 && value <= static_cast<double>(most.count())) return value;
  fields.refuse(out_of_range(name, fmt::format("1 to {} seconds", most.count())));
  return otherwise;
}

// JSON has one kind of number: 5.0 is the integer 5.
std::optional<std::int64_t> read_integer(FieldReader& fields, std::string_view name) {
  constexpr double kFar = 1e6;  // outside every range here
  const auto value = fields.number(name);
  if (!value) return std::nullopt;
  if (*value != std::trunc(*value)) {
    fields.refuse(
        invalid("invalid_type", std::string(name), fmt::format("{} must be an integer.", name)));
  }
  return static_cast<std::int64_t>(std::clamp(*value, -kFar, kFar));
}

// ISO 8601 as JavaScript's Date reads it, but for one thing: without a zone it is UTC, not the
// machine's own.
std::optional<Time> read_moment(FieldReader& fields, std::string_view name) {
  constexpr std::size_t kDay = 10;  // "2025-01-15"
  auto text = fields.text(name);
  if (!text) return std::nullopt;
  if (text->size() == kDay) *text += "T00:00";
  const auto time = parse_isoformat(std::move(*text));
  if (!time) {
    fields.refuse(invalid("time_invalid", std::string(name),
                          fmt::format("{} must be a time as 2025-01-15T10:30:00.000Z.", name)));
  }
  return time;
}

void read_target(FieldReader& fields, Creation& wanted) {
  auto url = fields.text("targetUrl");
  const auto former = fields.text("callbackUrl");
  if (!url) url = former;
  if (!url || url->empty()) {
    fields.refuse(invalid("url_required", "targetUrl", "targetUrl is required."));
  }
  wanted.url = url.value_or("");
  wanted.method = fields.text("method");
  constexpr std::array kMethods{"GET", "POST", "PUT", "DELETE"};
  if (wanted.method &&
      std::find(kMethods.begin(), kMethods.end(), *wanted.method) == kMethods.end()) {
    fields.refuse(invalid("method_invalid", "method", "method must be GET, POST, PUT or DELETE."));
  }
  wanted.headers = fields.headers("headers");
  wanted.body = fields.text("body");
  wanted.body_form = BodyForm::raw;
  const bool typed = std::any_of(
      wanted.headers.begin(), wanted.headers.end(),
      [](const Header& header) { return equal_ignoring_case(header.name, "content-type"); });
  if (wanted.body && !typed) wanted.content_type = "application/json";
}

void read_retries(FieldReader& fields, Creation& wanted) {
  wanted.max_retries = read_integer(fields, "maxRetries").value_or(kDefaultRetries);
  if (*wanted.max_retries < 0 || *wanted.max_retries > kMostRetries) {
    fields.refuse(out_of_range("maxRetries", fmt::format("0 to {}", kMostRetries)));
  }
  wanted.retry_policy = fields.text("retryBackoff").value_or("exponential");
  if (wanted.retry_policy != "exponential" && wanted.retry_policy != "linear") {
    fields.refuse(invalid("retry_policy_invalid", "retryBackoff",
                          "retryBackoff must be exponential or linear."));
  }
}

void read_times(FieldReader& fields, Creation& wanted, AsyncQueueExtra& extra) {
  extra.timeout = read_seconds(fields, "timeout", extra.timeout,
                               std::chrono::duration_cast<Seconds>(kMaxTimeout));
  extra.max_wait_time = read_seconds(fields, "maxWaitTime", extra.max_wait_time, kMaxDefer);
  const double attempt = std::min(extra.timeout, extra.max_wait_time);
  wanted.timeout = Milliseconds{std::llround(attempt * 1000)};
  extra.delay_until = wanted.run_at = read_moment(fields, "delayUntil");
}

}  // namespace

Result<Creation> parse_creation(std::string_view body, std::string secret) {
  Result<FieldReader> reader = FieldReader::parse(body);
  if (!reader) return reader.error();
  FieldReader& fields = *reader;
  Creation wanted;
  wanted.fields = &kFields;
  wanted.dialect = Dialect::asyncqueue;
  wanted.queue = traits(wanted.dialect).own_queue;
  AsyncQueueExtra extra;
  read_target(fields, wanted);
  refuse_unsupported(fields, wanted.headers);
  read_retries(fields, wanted);
  read_times(fields, wanted, extra);
  if (const auto priority = read_integer(fields, "priority")) {
    if (*priority < kMinPriority || *priority > kMaxPriority)
      fields.refuse(out_of_range("priority", "1 to 10"));
    wanted.priority =
        stored_priority(std::clamp<std::int64_t>(*priority, kMinPriority, kMaxPriority));
  }
  // Told however the task ends.
  wanted.on_complete_url = fields.text("onCompleteUrl").value_or("");
  wanted.on_failure_url = wanted.on_complete_url;
  if (fields.boolean("waitForSignal").value_or(false)) {
    wanted.hold = Seconds{std::llround(std::ceil(extra.max_wait_time))};
    extra.signal = std::move(secret);
  }
  if (const auto ok = fields.finish_leniently(); !ok) return ok.error();
  wanted.extra = asyncqueue_extra(extra);
  return wanted;
}

bool filter_by_status(db::TaskFilter& filter, std::string_view status) {
  if (status == "polling") {  // there is no AI polling, so no task ever does
    filter.created_until = Time{};
    return true;
  }
  for (const Phase phase : kAllPhases) {
    if (asyncqueue_status(phase) == status) filter.phases.push_back(phase);
  }
  return !filter.phases.empty();
}

Result<db::TaskFilter> parse_filter(std::string_view text) {
  Result<Query> parsed = Query::parse(text);
  if (!parsed) return parsed.error();
  Query& query = *parsed;
  db::TaskFilter filter;
  filter.limit = kDefaultLimit;
  filter.looks = db::kManyLooks;  // this wire has no cursor
  if (const auto status = query.text("status")) {
    if (!filter_by_status(filter, *status)) {
      query.refuse(invalid("status_invalid", "status",
                           "status must be pending, delayed, processing, waiting, polling, "
                           "completed, failed, timeout or cancelled."));
    }
  }
  if (const auto limit = query.integer("limit", "limit_invalid")) {
    if (*limit < 1) query.refuse(invalid("limit_invalid", "limit", "limit must be 1 or more."));
    filter.limit = static_cast<int>(std::clamp<std::int64_t>(*limit, 1, kMostLimit));
  }
  if (const auto offset = query.integer("offset", "offset_invalid")) {
    if (*offset < 0 || *offset > kMostOffset) {
      query.refuse(
          invalid("offset_invalid", "offset", fmt::format("offset must be 0 to {}.", kMostOffset)));
    }
    filter.offset = static_cast<int>(std::clamp<std::int64_t>(*offset, 0, kMostOffset));
  }
  if (const auto ok = query.finish(); !ok) return ok.error();
  return filter;
}

Result<Signal> parse_signal(std::string_view body) {
  Result<FieldReader> fields = FieldReader::parse(body);
  if (!fields) return fields.error();
  const std::string status = fields->text("status").value_or("");
  if (status != "completed" && status != "failed") {
    fields->refuse(invalid("status_invalid", "status", "status must be completed or failed."));
  }
  const std::string error = fields->text("error").value_or("");
  if (const auto ok = fields->finish_leniently(); !ok) return ok.error();
  return Signal{status == "completed", error};
}

}  // namespace postern::asyncqueue_wire
