#include "core/wire/asyncqueue.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/hex.h"
#include "core/base/json.h"

namespace postern {
namespace {

constexpr std::string_view kSignalPrefix = "sig_";
constexpr std::size_t kIdDigits = 32;

std::string_view phrase_of(int status) {
  switch (status) {
    case 500: return " - Internal Server Error";
    case 501: return " - Not Implemented";
    case 502: return " - Bad Gateway";
    case 503: return " - Service Unavailable";
    case 504: return " - Gateway Timeout";
    default: return "";
  }
}

// An attempt's error in this wire's words. The engine's own text is "HTTP 500".
std::string worded(const std::string& error) {
  constexpr std::string_view kHttp = "HTTP ";
  int status = 0;
  if (error.starts_with(kHttp)) {
    std::from_chars(error.data() + kHttp.size(), error.data() + error.size(), status);
  }
  if (status < 500) return error;
  return fmt::format("Server error: HTTP {}{}", status, phrase_of(status));
}

std::string without_dashes(std::string uuid) {
  std::erase(uuid, '-');
  return uuid;
}

}  // namespace

std::string_view asyncqueue_status(Phase phase) {
  switch (phase) {
    case Phase::pending:
    case Phase::blocked:
    case Phase::retry: return "pending";
    case Phase::delayed: return "delayed";
    case Phase::active: return "processing";
    case Phase::waiting: return "waiting";
    case Phase::completed: return "completed";
    case Phase::deadline:
    case Phase::signal_timeout: return "timeout";
    case Phase::cancelled: return "cancelled";
    case Phase::exhausted:
    case Phase::terminated:
    case Phase::gone:
    case Phase::egress_denied:
    case Phase::invalid:
    case Phase::unreachable:
    case Phase::queue_purged:
    case Phase::queue_deleted:
    case Phase::discarded:
    case Phase::max_age:
    case Phase::corrupt_row:
    case Phase::queue_full:
    case Phase::quota_exceeded: return "failed";
  }
  return "failed";
}

std::int64_t asyncqueue_retries(const Task& task) { return std::max(0, task.attempt - 1); }

void write_asyncqueue_time(JsonWriter& out, std::string_view key, std::optional<Time> time) {
  out.key(key);
  time ? out.string(format_rfc3339(*time, TimeDigits::millis)) : out.null();
}

void write_asyncqueue_outcome(JsonWriter& out, const Task& task) {
  out.key("result");
  if (task.result) {
    out.begin_object();
    out.member("statusCode", std::int64_t{task.result->status});
    out.key("headers").begin_object();
    for (const Header& header : task.result->headers) out.member(header.name, header.value);
    out.end_object();
    out.member("body", task.result->body);
    out.member("duration", std::int64_t{task.result->duration.count()});
    out.end_object();
  } else {
    out.null();
  }
  out.key("error");
  task.last_error.empty() ? out.null() : out.string(worded(task.last_error));
}

std::string asyncqueue_signature(std::span<const std::string> secrets, Time at,
                                 std::string_view body) {
  const auto seconds = std::chrono::floor<Seconds>(at).time_since_epoch().count();
  std::string out, last;
  for (const std::string& secret : secrets) {
    out += last;
    last = ",v1=" + to_hex(hmac_sha256(secret, fmt::format("{}.{}", seconds, body)));
  }
  const std::string first = out.empty() ? std::string() : last;
  return fmt::format("t={}{}{}{}", seconds, first, out, last);
}

Headers asyncqueue_webhook_headers(const WebhookCall& call, Time now, std::string_view body) {
  return {{"X-AsyncQueue-Task-Id", to_uuid(call.spec.id)},
          {"X-AsyncQueue-Signature", asyncqueue_signature(call.secrets, now, body)}};
}

std::string asyncqueue_callback_body(const Task& task) {
  const std::string_view status = asyncqueue_status(phase_of(task));
  JsonWriter json;
  json.begin_object();
  json.member("event", fmt::format("task.{}", status));
  json.key("task").begin_object();
  json.member("id", to_uuid(task.spec.id));
  json.member("status", status);
  write_asyncqueue_outcome(json, task);
  json.member("retryCount", asyncqueue_retries(task));
  write_asyncqueue_time(json, "createdAt", task.created_at);
  write_asyncqueue_time(json, "completedAt", task.finished_at);
  json.end_object().end_object();
  return json.take();
}

std::string asyncqueue_extra(const AsyncQueueExtra& extra) {
  JsonWriter json;
  json.begin_object();
  json.key("timeout").number(extra.timeout);
  json.key("maxWaitTime").number(extra.max_wait_time);
  if (extra.delay_until) write_asyncqueue_time(json, "delayUntil", extra.delay_until);
  if (!extra.signal.empty()) json.member("signal", extra.signal);
  json.end_object();
  return json.take();
}

AsyncQueueExtra asyncqueue_extra_of(const TaskSpec& spec) {
  AsyncQueueExtra extra;
  const double timeout = static_cast<double>(spec.timeout.count()) / 1000;
  if (timeout > 0) extra.timeout = extra.max_wait_time = timeout;
  if (spec.dialect != Dialect::asyncqueue) return extra;
  const auto members = parse_json_object(spec.extra);
  if (!members) return extra;
  for (const auto& [key, raw] : *members) {
    const auto text = [&](std::string& into) {
      if (auto value = json_string(raw, "")) into = std::move(*value);
    };
    if (key == "timeout") extra.timeout = json_number(raw);
    if (key == "maxWaitTime") extra.max_wait_time = json_number(raw);
    if (key == "delayUntil") {
      std::string time;
      text(time);
      extra.delay_until = parse_rfc3339(time);
    }
    if (key == "signal") text(extra.signal);
  }
  return extra;
}

std::optional<std::string> signal_token(const TaskSpec& spec) {
  const std::string secret = asyncqueue_extra_of(spec).signal;
  if (secret.empty()) return std::nullopt;
  const std::string id = to_uuid(spec.id);
  return fmt::format("{}{}{}", kSignalPrefix, without_dashes(id), to_hex(hmac_sha256(secret, id)));
}

std::optional<TaskId> task_of_signal(std::string_view token) {
  if (!token.starts_with(kSignalPrefix)) return std::nullopt;
  token.remove_prefix(kSignalPrefix.size());
  if (token.size() <= kIdDigits) return std::nullopt;
  std::string uuid(token.substr(0, kIdDigits));
  for (const std::size_t at : {20, 16, 12, 8}) uuid.insert(at, "-");
  return parse_task_id(uuid);
}

}  // namespace postern
