// AsyncQueue's dialect: camelCase, one task as {"task":{...}}, and errors as {"error":"message"}.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/json_writer.h"
#include "core/model/phase.h"
#include "core/wire/asyncqueue.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/deferred.h"
#include "fcgi/api/tasks.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"
#include "fcgi/dialects/asyncqueue/wire.h"
#include "fcgi/dialects/native/meta.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/table.h"

namespace postern {
namespace {

constexpr std::size_t kSecretLength = 22;  // base 62: 131 bits

void create_task(const Call& call, Finish finish) {
  Result<Creation> wanted =
      asyncqueue_wire::parse_creation(call.request.body, random_base62(kSecretLength));
  if (!wanted) return finish(wanted.error());
  call.use.creation.create(call.caller, call.request, std::move(*wanted),
                           created_answer(call, std::move(finish)));
}

// The status stands in the message, as this wire has it.
Error told_by_status(const Call& call, Error error, std::string_view verb) {
  if (error.code != Errc::conflict) return error;
  const Result<Task> task = call.use.tasks.get(call.caller, call.path["id"], Seconds{0});
  if (task) {
    error.message =
        fmt::format("Cannot {} task with status: {}", verb, asyncqueue_status(phase_of(*task)));
  }
  return error;
}

Result<HttpResponse> list_tasks(const Call& call) {
  const Result<db::TaskFilter> filter = asyncqueue_wire::parse_filter(call.request.query);
  if (!filter) return filter.error();
  const Result<db::Page> page = call.use.tasks.list(call.caller, *filter);
  if (!page) return page.error();
  return json_response(200, asyncqueue_wire::render_page(*page, *filter));
}

Result<HttpResponse> cancel_task(const Call& call) {
  const Result<Task> task = call.use.tasks.cancel(call.caller, call.path["id"]);
  if (!task) return told_by_status(call, task.error(), "cancel");
  return task_response(call, 200, *task);
}

Result<HttpResponse> retry_task(const Call& call) {
  const Result<Task> task = call.use.tasks.retry(call.caller, call.path["id"], call.dialect);
  if (!task) return told_by_status(call, task.error(), "retry");
  return task_response(call, 200, *task);
}

Result<HttpResponse> delete_task(const Call& call) {
  const auto done = call.use.tasks.remove(call.caller, call.path["id"], call.dialect);
  if (!done) return told_by_status(call, done.error(), "delete");
  return HttpResponse{204, {}, {}};
}

Error cannot_signal(const Task& task) {
  return conflict(
      is_finished(task.state) ? "task_already_finished" : "task_not_waiting",
      fmt::format("Cannot signal task with status: {}", asyncqueue_status(phase_of(task))));
}

Result<HttpResponse> signal(const Call& call) {
  const auto told = asyncqueue_wire::parse_signal(call.request.body);
  if (!told) return told.error();
  const std::string_view token = call.path["token"];
  const auto proves = [&](const TaskSpec& spec) {
    const auto expected = signal_token(spec);
    return expected && equal_constant_time(*expected, token);
  };
  const auto signalled = call.use.deferred.signal({.task = task_of_signal(token),
                                                   .proves = proves,
                                                   .tenant = call.request.tenant,
                                                   .completed = told->completed,
                                                   .error = told->error,
                                                   .body = call.request.body});
  if (!signalled) return signalled.error();
  if (!signalled->done) return cannot_signal(signalled->task);
  return json_response(200, asyncqueue_wire::render_task(signalled->task));
}

std::optional<TaskId> task_of_token(const PathArgs& path) { return task_of_signal(path["token"]); }

constexpr std::array kRoutes{
    Route{"POST", "/v1/tasks", Access::create, create_task},
    Route{"GET", "/v1/tasks", Access::read, list_tasks, Cost::read},
    Route{"GET", "/v1/tasks/{id}", Access::read, native_tasks::get},
    Route{"DELETE", "/v1/tasks/{id}", Access::write, delete_task},
    Route{"POST", "/v1/tasks/{id}/cancel", Access::write, cancel_task},
    Route{"POST", "/v1/tasks/{id}/retry", Access::retry, retry_task},
    Route{"POST", "/v1/signals/{token}", Access::open, signal, Cost::change}.about(task_of_token),
    Route{"GET", "/v1/openapi.json", Access::open, native_meta::openapi},
    Route{"GET", "/healthz", Access::open, native_meta::healthz},
    Route{"GET", "/readyz", Access::open, native_meta::readyz},
};

std::string_view text_of(const Error& error) {
  switch (error.code) {
    case Errc::unauthenticated:
      return error.reason == "credential_missing" ? "API key required"
                                                  : "Invalid or revoked API key";
    case Errc::forbidden: return "Access denied";
    case Errc::not_found:
      return error.reason == "task_not_found" ? std::string_view("Task not found") : error.message;
    case Errc::invalid_argument:
    case Errc::method_not_allowed:
    case Errc::conflict:
    case Errc::duplicate:
    case Errc::payload_too_large:
    case Errc::rate_limited:
    case Errc::unavailable:
    case Errc::internal: return error.message;
  }
  return error.message;
}

HttpResponse render_error(const Error& error) {
  JsonWriter out;
  out.begin_object().member("error", text_of(error)).end_object();
  return error_response(error, out.take());
}

std::string task_path(const Task& task) { return "/v1/tasks/" + to_uuid(task.spec.id); }

constexpr std::array<std::string_view, 2> kBodyMarks{"targetUrl", "callbackUrl"};

// A UUID.
bool spells(std::string_view id) { return id.size() == 36 && id[8] == '-' && id[13] == '-'; }

constexpr DialectTable kAsyncQueue{
    .dialect = Dialect::asyncqueue,
    .routes = kRoutes,
    .render_error = render_error,
    .write_task = asyncqueue_wire::write_task,
    .render_task = asyncqueue_wire::render_task,
    .render_created = asyncqueue_wire::render_created,
    .task_path = task_path,
    .body_marks = kBodyMarks,
    .spells = spells,
    .filter_by_status = asyncqueue_wire::filter_by_status,
};

}  // namespace

const DialectTable& asyncqueue() { return kAsyncQueue; }

}  // namespace postern
