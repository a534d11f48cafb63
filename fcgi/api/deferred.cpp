#include "fcgi/api/deferred.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/utf8.h"
#include "core/model/answer_limits.h"
#include "core/model/ids.h"
#include "core/model/lane.h"
#include "core/model/next_step.h"
#include "core/model/validation.h"
#include "core/security/signing.h"
#include "db/catalog/placement.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/task_lookup.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr int kDeferred = 202;  // what the receiver said at first

// The same whether the task is there or not, so that nobody can look for tasks without a key.
Error token_invalid() {
  return {
      Errc::forbidden, "token_invalid", "token",
      "The token is not that of the attempt under way. It may have been given up and repeated."};
}

Attempt attempt_of(const db::Leased& leased, std::string status) {
  Attempt attempt;
  attempt.number = leased.task.attempt;
  attempt.status = std::move(status);
  attempt.response_code = kDeferred;
  attempt.executed_at = leased.claimed_at;
  attempt.duration = std::chrono::floor<Milliseconds>(leased.now - leased.claimed_at);
  return attempt;
}

double random_fraction() {
  std::array<std::uint8_t, 4> bytes{};
  random_bytes(bytes);
  const std::uint32_t number = std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
                               std::uint32_t{bytes[2]} << 8 | bytes[3];
  return number / 4294967296.0;
}

}  // namespace

Result<db::Leased> DeferredApi::admit(const Subject& subject) {
  const auto id = parse_task_id(subject.id);
  if (!id) return token_invalid();
  auto leased =
      read_from(pool_, [&](auto& connection) { return db::leased_task(connection, *id); });
  if (!leased) return token_invalid();
  if (!equal_constant_time(completion_token(leased->lease, *id), subject.token) ||
      (!subject.tenant.empty() && subject.tenant != leased->task.spec.tenant)) {
    return token_invalid();
  }
  if (is_finished(leased->task.state)) return wrong_state(leased->task.state);
  return std::move(*leased);
}

void DeferredApi::tell(const db::Leased& leased, const db::Told& told) {
  const TaskSpec& spec = leased.task.spec;
  failures_.add({.id = spec.id,
                 .tenant = spec.tenant,
                 .queue = spec.queue,
                 .host = host_of(spec.url),
                 .attempts = leased.task.attempt,
                 .reason = told.reason,
                 .status = told.attempt ? told.attempt->response_code : std::nullopt},
                std::chrono::steady_clock::now());
}

Result<State> DeferredApi::settle(const db::Leased& leased, const db::Told& told) {
  const TaskSpec& spec = leased.task.spec;
  const auto done = write_to(pool_, [&](auto& connection) {
    return db::settle_deferred(connection, spec.tenant, spec.id, leased.lease, instance_, told);
  });
  if (!done) return done.error();
  if (done->kind == db::Transition::Kind::done) {
    if (told.state == State::failed) tell(leased, told);
    return told.state;
  }
  // Somebody else was faster: the same receiver, or the scheduler that gave the attempt up.
  if (done->kind == db::Transition::Kind::wrong_state && is_finished(done->state)) {
    return wrong_state(done->state);
  }
  return token_invalid();
}

Result<State> DeferredApi::complete(const Subject& subject, std::string_view body,
                                    std::string_view content_type) {
  const Result<db::Leased> leased = admit(subject);
  if (!leased) return leased.error();
  db::Told told{.state = State::completed, .attempt = attempt_of(*leased, "success")};
  told.attempt->response = first_bytes(body, kAnswerInAttempt);
  told.result =
      Answer{kDeferred, {}, std::string(first_bytes(body, kAnswerKept)), told.attempt->duration};
  if (!content_type.empty() && check_content_type(content_type, "Content-Type")) {
    told.result->headers.push_back({"content-type", std::string(content_type)});
  }
  return settle(*leased, told);
}

Result<State> DeferredApi::fail(const Subject& subject, std::string_view error, bool retry) {
  const Result<db::Leased> leased = admit(subject);
  if (!leased) return leased.error();
  const Task& task = leased->task;
  NextStep step{State::failed, Reason::terminated};
  if (retry) {
    step = next_step(task.spec, task.attempt - task.attempt_base, leased->now, Milliseconds{0},
                     random_fraction());
  }
  db::Told told{.state = step.state, .reason = step.reason, .delay = step.delay};
  told.error =
      storable_text(error.empty() ? "the receiver told a failure" : error, kErrorKept) + step.note;
  told.attempt = attempt_of(*leased, "failed");
  told.attempt->error = told.error;
  if (step.state == State::failed) {
    told.result = Answer{kDeferred, {}, {}, told.attempt->duration};
  }
  return settle(*leased, told);
}

Result<DeferredApi::Signalled> DeferredApi::signal(const Signal& signal) {
  constexpr int kSignalled = 200;
  const Error unknown = not_found("task_not_found", "No task waits for this signal.");
  if (!signal.task) return unknown;
  const TaskId& id = *signal.task;
  const auto task =
      read_from(pool_, [&](auto& connection) { return db::any_task(connection, id); });
  if (!task || (!signal.tenant.empty() && signal.tenant != task->spec.tenant)) return unknown;
  if (!signal.proves(task->spec)) return unknown;
  const auto leased =
      read_from(pool_, [&](auto& connection) { return db::leased_task(connection, id); });
  if (is_finished(task->state) || !leased) return Signalled{*task, false};
  db::Told told{.state = signal.completed ? State::completed : State::failed,
                .reason = signal.completed ? Reason::none : Reason::terminated,
                .attempt = attempt_of(*leased, signal.completed ? "success" : "failed")};
  told.attempt->response_code = kSignalled;
  told.attempt->response = first_bytes(signal.body, kAnswerInAttempt);
  if (!signal.completed) {
    told.error = storable_text(signal.error.empty() ? "the signal told a failure" : signal.error,
                               kErrorKept);
  }
  told.attempt->error = told.error;
  told.result = Answer{
      kSignalled, {}, std::string(first_bytes(signal.body, kAnswerKept)), told.attempt->duration};
  const auto done = settle(*leased, told);
  const auto now = read_from(pool_, [&](auto& connection) { return db::any_task(connection, id); });
  if (!now) return unknown;
  if (done) return Signalled{*now, true};
  const Errc code = done.error().code;  // somebody was faster, or the attempt was given up
  if (code == Errc::conflict || code == Errc::forbidden) return Signalled{*now, false};
  return done.error();
}

std::optional<std::string> DeferredApi::tenant_of(const TaskId& id) {
  return read_from(pool_, [&](auto& connection) -> std::optional<std::string> {
    const auto task = db::any_task(connection, id);
    return task ? task->spec.tenant : db::moved_task(connection, id);
  });
}

Result<State> DeferredApi::extend(const Subject& subject, std::int64_t seconds) {
  if (seconds < 1 || seconds > kMaxDefer.count()) {
    return invalid(
        "seconds_out_of_range", "seconds",
        fmt::format("seconds must be 1 to {}, a week; it is {}.", kMaxDefer.count(), seconds));
  }
  const Result<db::Leased> leased = admit(subject);
  if (!leased) return leased.error();
  return settle(*leased, {.state = State::active, .delay = Seconds{seconds}});
}

}  // namespace postern
