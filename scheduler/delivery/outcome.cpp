#include "scheduler/delivery/outcome.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/base/utf8.h"
#include "core/model/answer_limits.h"
#include "core/model/next_step.h"
#include "core/model/retry_policy.h"
#include "core/model/validation.h"
#include "core/wire/webhook.h"

namespace postern::scheduler {
namespace {

constexpr char kDefer[] = "postern-defer";
constexpr char kNoRetry[] = "postern-no-retry";
constexpr char kRetryAfter[] = "retry-after";

bool succeeded(Dialect dialect, int status) {
  return status >= 200 && status < traits(dialect).success_below;
}

// Empty: it is not there, or `name` is empty.
std::string_view header(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const Header& each) { return each.name == name; });
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

bool forbids_retry(const Headers& headers) {
  const std::string_view value = header(headers, kNoRetry);
  return !value.empty() && value != "0" && !equal_ignoring_case(value, "false");
}

using db::settlement;

Attempt attempt_of(const db::Claimed& task, std::string status, std::string error) {
  Attempt attempt;
  attempt.number = task.attempt;
  attempt.status = std::move(status);
  attempt.error = std::move(error);
  attempt.executed_at = task.claimed_at;
  return attempt;
}

// The end of a task that will not be tried again.
db::Settlement failed(const db::Claimed& task, Reason reason, Attempt attempt) {
  db::Settlement end = settlement(task, State::failed, reason);
  end.last_error = attempt.error;
  end.attempt = std::move(attempt);
  return end;
}

// Another attempt, unless budget, policy or deadline forbid it.
db::Settlement again(const db::Claimed& task, Attempt attempt, Milliseconds at_least,
                     double random) {
  // By the database's clock, which stood at claimed_at when the attempt began.
  const auto step = next_step(task.spec, task.attempt - task.attempt_base,
                              task.claimed_at + attempt.duration, at_least, random);
  attempt.error += step.note;
  if (step.state == State::failed) return failed(task, step.reason, std::move(attempt));
  db::Settlement next = settlement(task, State::delayed);
  next.delay = step.delay;
  next.last_error = attempt.error;
  next.attempt = std::move(attempt);
  return next;
}

// How long the receiver asks for to tell the end itself; nullopt: it does not say that in a way we
// understand.
std::optional<Seconds> defer_time(std::string_view value) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc() || end != value.data() + value.size() || seconds < 1) {
    return std::nullopt;
  }
  return std::min(Seconds{seconds}, kMaxDefer);
}

db::Settlement answered(const db::Claimed& task, const HttpResult& result, Attempt attempt,
                        Time now, double random) {
  attempt.response_code = result.status;
  attempt.response = first_bytes(result.body, kAnswerInAttempt);
  const bool awaits_signal = task.spec.hold.count() > 0;
  if (const auto asked = header(result.headers, kDefer);
      result.status == 202 && !asked.empty() && !awaits_signal) {
    if (const auto time = defer_time(asked)) {
      db::Settlement deferred = settlement(task, State::active);
      deferred.delay = *time;
      return deferred;
    }
    // Completed is what it is surely not.
    attempt.error = "HTTP 202 with a Postern-Defer that is not a number of seconds";
    return again(task, std::move(attempt), Milliseconds{0}, random);
  }
  const WebhookForm& form = webhook_form(task.spec.dialect);
  if (const auto why = header(result.headers, form.terminate_header); !why.empty()) {
    attempt.error = storable_text(why, kErrorKept);
    return failed(task, Reason::terminated, std::move(attempt));
  }
  if (const auto why = header(result.headers, form.error_header); !why.empty()) {
    attempt.error = storable_text(why, kErrorKept);
    return again(task, std::move(attempt), Milliseconds{0}, random);
  }
  if (succeeded(task.spec.dialect, result.status)) {
    if (awaits_signal) {
      db::Settlement waiting = settlement(task, State::active);
      waiting.delay = task.spec.hold;
      return waiting;
    }
    attempt.status = "success";
    db::Settlement end = settlement(task, State::completed);
    end.attempt = std::move(attempt);
    return end;
  }
  attempt.error = fmt::format("HTTP {}", result.status);
  if (result.status == 410) return failed(task, Reason::gone, std::move(attempt));
  if (forbids_retry(result.headers)) return failed(task, Reason::terminated, std::move(attempt));
  return again(task, std::move(attempt), asked_delay(result, now), random);
}

}  // namespace

Milliseconds asked_delay(const HttpResult& result, Time now) {
  if (result.status != 429 && result.status != 503) return {};
  return parse_retry_after(header(result.headers, kRetryAfter), now).value_or(Seconds{0});
}

db::Settlement outcome(const db::Claimed& task, const HttpResult& result, Time now, double random) {
  Attempt attempt = attempt_of(task, "failed", result.error);
  attempt.duration = result.duration;
  switch (result.kind) {
    case HttpResult::Kind::answered: {
      db::Settlement end = answered(task, result, std::move(attempt), now, random);
      if (is_finished(end.state)) {
        end.result = Answer{result.status, joined(result.headers), result.body, result.duration};
      }
      return end;
    }
    case HttpResult::Kind::egress_denied:
      return failed(task, Reason::egress_denied, std::move(attempt));
    case HttpResult::Kind::timed_out:
    case HttpResult::Kind::name_not_resolved:
    case HttpResult::Kind::not_connected:
    case HttpResult::Kind::broken: break;
  }
  return again(task, std::move(attempt), Milliseconds{0}, random);
}

db::Settlement not_sent(const db::Claimed& task, const Error& why, double random) {
  Attempt attempt = attempt_of(task, "failed", why.message);
  if (why.code == Errc::invalid_argument) {
    return failed(task, Reason::invalid, std::move(attempt));
  }
  return again(task, std::move(attempt), Milliseconds{0}, random);
}

db::Settlement lost(const db::Claimed& task, double random) {
  return again(task, attempt_of(task, "lost", "the scheduler that made this attempt was lost"),
               Milliseconds{0}, random);
}

db::Settlement deferral_over(const db::Claimed& task, double random) {
  Attempt attempt =
      attempt_of(task, "failed", "the receiver did not tell the end in the time it asked for");
  attempt.duration = std::chrono::floor<Milliseconds>(task.lease_until - task.claimed_at);
  if (task.spec.hold.count() > 0) {
    attempt.error = "nobody signalled its end in the time it was given";
    return failed(task, Reason::signal_timeout, std::move(attempt));
  }
  return again(task, std::move(attempt), Milliseconds{0}, random);
}

db::Settlement past_deadline(const db::Claimed& task) {
  db::Settlement end = settlement(task, State::failed, Reason::deadline);
  end.last_error = "it could not start before its deadline";
  return end;
}

db::Settlement set_aside(const db::Claimed& task) {
  db::Settlement end = settlement(task, State::failed, Reason::corrupt_row);
  end.last_error = corrupt_row_error(task.unreadable);
  return end;
}

db::Settlement given_back(const db::Claimed& task) { return settlement(task, State::ready); }

std::vector<std::string> headers_read() {
  std::vector<std::string> names{kDefer, kNoRetry, kRetryAfter};
  for (const Dialect dialect : kAllDialects) {
    const WebhookForm& form = webhook_form(dialect);
    for (const std::string_view each : {form.error_header, form.terminate_header}) {
      if (!each.empty()) names.emplace_back(each);
    }
  }
  return names;
}

bool is_last_attempt(const db::Claimed& task) {
  return task.attempt - task.attempt_base >= task.spec.max_attempts ||
         task.spec.retry_policy == "none";
}

}  // namespace postern::scheduler
