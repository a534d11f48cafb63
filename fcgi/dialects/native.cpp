// The native dialect: snake_case, flat objects, and errors as {"error":{code,message,details}}.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/json_writer.h"
#include "fcgi/api.h"
#include "fcgi/dialects/dialects.h"
#include "fcgi/dialects/native_meta.h"
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
  call.api.create(
      call.caller, call.request, std::move(*wanted),
      [finish = std::move(finish), tasks = call.api.public_url() + call.request.base_path +
                                           "/v1/tasks/"](const Result<Created>& created) {
        if (!created) return finish(created.error());
        HttpResponse response = task_response(created->replayed ? 200 : 201, created->task);
        response.header("Location", tasks + to_typeid(created->task.spec.id));
        if (created->replayed) response.header("Idempotency-Replayed", "true");
        finish(std::move(response));
      });
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

constexpr std::array kRoutes{
    Route{"POST", "/v1/tasks", Access::write, create_task},
    Route{"GET", "/v1/tasks", Access::read, list_tasks},
    Route{"GET", "/v1/tasks/{id}", Access::read, get_task},
    Route{"DELETE", "/v1/tasks/{id}", Access::write, delete_task},
    Route{"POST", "/v1/tasks/{id}/cancel", Access::write, cancel_task},
    Route{"POST", "/v1/tasks/{id}/retry", Access::retry, retry_task},
    Route{"GET", "/v1/stats", Access::read, native_meta::stats},
    Route{"GET", "/v1/retry-policies", Access::read, native_meta::retry_policies},
    Route{"GET", "/v1/info", Access::read, native_meta::info},
    Route{"GET", "/metrics", Access::open, native_meta::metrics},
    Route{"GET", "/monitor/metrics", Access::open, native_meta::metrics},
    Route{"GET", "/healthz", Access::open, native_meta::healthz},
    Route{"GET", "/readyz", Access::open, native_meta::readyz},
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

const DialectTable& native() { return kNative; }

}  // namespace postern
