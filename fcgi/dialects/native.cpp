// The native dialect: snake_case, flat objects, and errors as {"error":{code,message,details}}.
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "core/json_writer.h"
#include "fcgi/api.h"
#include "fcgi/dialects/dialects.h"
#include "fcgi/dialects/native_queues.h"
#include "fcgi/dialects/native_endpoints.h"
#include "fcgi/dialects/native_wire.h"

namespace postern {
namespace {

HttpResponse task_response(int status, const Task& task) {
  JsonWriter out;
  native_wire::write_task(out, task);
  return json_response(status, out.take());
}

void create_task(const Call& call, Finish finish) {
  Result<Creation> wanted = native_wire::parse_creation(call.request.body);
  if (!wanted) return finish(wanted.error());
  call.api.create(call.caller, call.request, std::move(*wanted),
                  native_wire::created_answer(call, std::move(finish)));
}

Result<HttpResponse> list_tasks(const Call& call) {
  const Result<db::TaskFilter> filter = native_wire::parse_filter(call.request.query);
  if (!filter) return filter.error();
  const Result<db::Page> page = call.api.list(call.caller, *filter);
  if (!page) return page.error();
  return json_response(200, native_wire::render_page(*page, *filter));
}

Result<HttpResponse> get_task(const Call& call) {
  const Result<Seconds> wait = native_wire::parse_wait(call.request.query);
  if (!wait) return wait.error();
  const Result<Task> task = call.api.get(call.caller, call.path["id"], *wait);
  if (!task) return task.error();
  return task_response(200, *task);
}

Result<HttpResponse> cancel_task(const Call& call) {
  const Result<Task> task = call.api.cancel(call.caller, call.path["id"]);
  if (!task) return task.error();
  return task_response(200, *task);
}

Result<HttpResponse> retry_task(const Call& call) {
  const Result<Task> task = call.api.retry(call.caller, call.path["id"]);
  if (!task) return task.error();
  return task_response(200, *task);
}

Result<HttpResponse> delete_task(const Call& call) {
  if (const auto done = call.api.remove(call.caller, call.path["id"]); !done) return done.error();
  return HttpResponse{204, {}, {}};
}

Result<HttpResponse> info(const Call& call) {
  const db::Totals totals = call.api.totals(call.caller);
  JsonWriter out;
  out.begin_object();
  out.member("version", POSTERN_VERSION);
  out.member("auth", "none");  // the handlers' own: nginx authenticates
  out.member("queue_count", totals.queues);
  out.member("task_count", totals.tasks);
  out.key("features").begin_object();
  for (const char* feature : {"idempotency_key", "long_poll", "cursor", "sql_enqueue"}) {
    out.member(feature, true);
  }
  out.end_object();
  out.end_object();
  return json_response(200, out.take());
}

// Answers without the database, so that it says something about this program alone.
Result<HttpResponse> healthz(const Call&) {
  const auto now = std::chrono::floor<Microseconds>(std::chrono::system_clock::now());
  JsonWriter out;
  out.begin_object().member("status", "ok").member("time", format_rfc3339(now)).end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> readyz(const Call& call) {
  const Readiness ready = call.api.readiness();
  JsonWriter out;
  out.begin_object().member("ready", ready.tasks && ready.config).key("checks").begin_object();
  const auto check = [&](std::string_view name, bool ok, std::string_view error) {
    out.key(name).begin_object().member("ok", ok);
    if (!ok) out.member("error", error);
    out.end_object();
  };
  check("tasks", ready.tasks, "tasks storage unreachable");
  check("config", ready.config, "configuration storage unreachable");
  out.end_object().end_object();
  return json_response(ready.tasks && ready.config ? 200 : 503, out.take());
}

constexpr std::array kRoutes{
    Route{"POST", "/v1/tasks", Access::write, create_task},
    Route{"GET", "/v1/tasks", Access::read, list_tasks},
    Route{"GET", "/v1/tasks/{id}", Access::read, get_task},
    Route{"DELETE", "/v1/tasks/{id}", Access::write, delete_task},
    Route{"POST", "/v1/tasks/{id}/cancel", Access::write, cancel_task},
    Route{"POST", "/v1/tasks/{id}/retry", Access::retry, retry_task},
    Route{"POST", "/v1/queues", Access::write, native_wire::create_queue},
    Route{"GET", "/v1/queues", Access::read, native_wire::list_queues},
    Route{"GET", "/v1/queues/{name}", Access::read, native_wire::get_queue},
    Route{"PUT", "/v1/queues/{name}", Access::write, native_wire::put_queue},
    Route{"PATCH", "/v1/queues/{name}", Access::write, native_wire::change_queue},
    Route{"DELETE", "/v1/queues/{name}", Access::write, native_wire::delete_queue},
    Route{"POST", "/v1/queues/{name}/purge", Access::write, native_wire::purge_queue},
    Route{"POST", "/v1/queues/{name}/pause", Access::write, native_wire::pause_queue},
    Route{"POST", "/v1/queues/{name}/resume", Access::write, native_wire::resume_queue},
    Route{"GET", "/v1/queues/{name}/stats", Access::read, native_wire::queue_stats},
    Route{"POST", "/v1/endpoints", Access::write, native_endpoints::create},
    Route{"GET", "/v1/endpoints", Access::read, native_endpoints::list},
    Route{"GET", "/v1/endpoints/{name}", Access::read, native_endpoints::get},
    Route{"PUT", "/v1/endpoints/{name}", Access::write, native_endpoints::put},
    Route{"PATCH", "/v1/endpoints/{name}", Access::write, native_endpoints::change},
    Route{"DELETE", "/v1/endpoints/{name}", Access::write, native_endpoints::remove},
    Route{"POST", "/v1/endpoints/{name}/rotate", Access::write, native_endpoints::rotate},
    Route{"POST", "/v1/endpoints/{name}/test", Access::write, native_endpoints::test},
    Route{"POST", "/v1/endpoints/{name}/pause", Access::write, native_endpoints::pause},
    Route{"POST", "/v1/endpoints/{name}/resume", Access::write, native_endpoints::resume},
    Route{"POST", "/v1/endpoints/{name}/recover", Access::retry, native_endpoints::recover},
    Route{"GET", "/v1/info", Access::read, info},
    Route{"GET", "/healthz", Access::open, healthz},
    Route{"GET", "/readyz", Access::open, readyz},
};

HttpResponse render_error(const Error& error) {
  JsonWriter out;
  out.begin_object().key("error").begin_object();
  out.member("code", name(error.code));
  out.member("message", error.message);
  if (!error.reason.empty() || !error.field.empty()) {
    out.key("details").begin_object();
    if (!error.reason.empty()) out.member("reason", error.reason);
    if (!error.field.empty()) out.member("field", error.field);
    out.end_object();
  }
  out.end_object().end_object();
  HttpResponse response = error_response(error, out.take());
  if (error.reason == "idempotency_key_reused") response.status = 422;
  return response;
}

constexpr DialectTable kNative{Dialect::native, kRoutes, render_error};

}  // namespace

Api::Done native_wire::created_answer(const Call& call, Finish finish) {
  return [finish = std::move(finish), tasks = call.api.public_url() + call.request.base_path +
                                              "/v1/tasks/"](const Result<Created>& created) {
    if (!created) return finish(created.error());
    HttpResponse response = task_response(created->replayed ? 200 : 201, created->task);
    response.header("Location", tasks + to_typeid(created->task.spec.id));
    if (created->replayed) response.header("Idempotency-Replayed", "true");
    finish(std::move(response));
  };
}

const DialectTable& native() { return kNative; }

}  // namespace postern
