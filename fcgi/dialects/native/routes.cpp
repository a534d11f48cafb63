// The native dialect: snake_case, flat objects, and errors as {"error":{code,message,details}}.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/base/json_writer.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/tasks.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"
#include "fcgi/dialects/native/endpoints.h"
#include "fcgi/dialects/native/health.h"
#include "fcgi/dialects/native/keys.h"
#include "fcgi/dialects/native/meta.h"
#include "fcgi/dialects/native/numbers.h"
#include "fcgi/dialects/native/queues.h"
#include "fcgi/dialects/native/schedules.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/native/tenants.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/table.h"

namespace postern {
namespace native_tasks {

Result<HttpResponse> get(const Call& call) {
  const Result<Seconds> wait = native_wire::parse_wait(call.request.query);
  if (!wait) return wait.error();
  const Result<Task> task = call.use.tasks.get(call.caller, call.path["id"], *wait);
  if (!task) return task.error();
  return task_response(call, 200, *task);
}

Result<HttpResponse> cancel(const Call& call) {
  const Result<Task> task = call.use.tasks.cancel(call.caller, call.path["id"]);
  if (!task) return task.error();
  return task_response(call, 200, *task);
}

Result<HttpResponse> retry(const Call& call) {
  const Result<Task> task = call.use.tasks.retry(call.caller, call.path["id"], call.dialect);
  if (!task) return task.error();
  return task_response(call, 200, *task);
}

Result<HttpResponse> remove(const Call& call) {
  const auto done = call.use.tasks.remove(call.caller, call.path["id"], call.dialect);
  if (!done) return done.error();
  return HttpResponse{204, {}, {}};
}

}  // namespace native_tasks

namespace {

void create_task(const Call& call, Finish finish) {
  Result<Creation> wanted = native_wire::parse_creation(call.request.body);
  if (!wanted) return finish(wanted.error());
  call.use.creation.create(call.caller, call.request, std::move(*wanted),
                           created_answer(call, std::move(finish)));
}

Result<HttpResponse> list_tasks(const Call& call) {
  const Result<db::TaskFilter> filter =
      native_wire::parse_filter(call.request.query, !call.dialect);
  if (!filter) return filter.error();
  const Result<bool> stream = native_wire::parse_stream(call.request.query);
  if (!stream) return stream.error();
  if (*stream) return native_tasks::stream(call, *filter);
  const Result<db::Page> page = call.use.tasks.list(call.caller, *filter);
  if (!page) return page.error();
  return json_response(200, native_wire::render_page(*page, *filter, call.dialect));
}

constexpr std::size_t kMaxBatch = 16 * 1024 * 1024;  // bytes

std::optional<TaskId> task_of_path(const PathArgs& path) { return parse_task_id(path["id"]); }

constexpr std::array kRoutes{
    Route{"POST", "/v1/tasks", Access::create, create_task},
    Route{"GET", "/v1/tasks", Access::read, list_tasks, Cost::read},
    Route{"POST", "/v1/tasks/batch", Access::create, native_tasks::create_batch, Cost::change,
          kMaxBatch},
    Route{"POST", "/v1/tasks/cancel", Access::write, native_tasks::cancel_many, Cost::sweep},
    Route{"POST", "/v1/tasks/retry", Access::retry, native_tasks::retry_many, Cost::sweep},
    Route{"GET", "/v1/tasks/{id}", Access::read, native_tasks::get},
    Route{"PATCH", "/v1/tasks/{id}", Access::write, native_tasks::change},
    Route{"DELETE", "/v1/tasks/{id}", Access::write, native_tasks::remove},
    Route{"POST", "/v1/tasks/{id}/cancel", Access::write, native_tasks::cancel},
    Route{"POST", "/v1/tasks/{id}/retry", Access::retry, native_tasks::retry},
    Route{"POST", "/v1/queues", Access::write, native_wire::create_queue},
    Route{"GET", "/v1/queues", Access::read, native_wire::list_queues, Cost::read},
    Route{"GET", "/v1/queues/{name}", Access::read, native_wire::get_queue},
    Route{"PUT", "/v1/queues/{name}", Access::write, native_wire::put_queue},
    Route{"PATCH", "/v1/queues/{name}", Access::write, native_wire::change_queue},
    Route{"DELETE", "/v1/queues/{name}", Access::write, native_wire::delete_queue, Cost::sweep},
    Route{"POST", "/v1/queues/{name}/purge", Access::write, native_wire::purge_queue, Cost::sweep},
    Route{"POST", "/v1/queues/{name}/pause", Access::write, native_wire::pause_queue},
    Route{"POST", "/v1/queues/{name}/resume", Access::write, native_wire::resume_queue},
    Route{"GET", "/v1/queues/{name}/stats", Access::read, native_wire::queue_stats, Cost::read},
    Route{"POST", "/v1/endpoints", Access::write, native_endpoints::create},
    Route{"GET", "/v1/endpoints", Access::read, native_endpoints::list, Cost::read},
    Route{"GET", "/v1/endpoints/{name}", Access::read, native_endpoints::get, Cost::read},
    Route{"PUT", "/v1/endpoints/{name}", Access::write, native_endpoints::put},
    Route{"PATCH", "/v1/endpoints/{name}", Access::write, native_endpoints::change},
    Route{"DELETE", "/v1/endpoints/{name}", Access::write, native_endpoints::remove},
    Route{"POST", "/v1/endpoints/{name}/rotate", Access::write, native_endpoints::rotate},
    Route{"POST", "/v1/endpoints/{name}/test", Access::write, native_endpoints::test},
    Route{"POST", "/v1/endpoints/{name}/pause", Access::write, native_endpoints::pause},
    Route{"POST", "/v1/endpoints/{name}/resume", Access::write, native_endpoints::resume},
    Route{"POST", "/v1/endpoints/{name}/recover", Access::retry, native_endpoints::recover,
          Cost::sweep},
    Route{"POST", "/v1/schedules", Access::write, create_schedule},
    Route{"GET", "/v1/schedules", Access::read, list_schedules, Cost::read},
    Route{"POST", "/v1/schedules/preview", Access::read, preview_schedule, Cost::read},
    Route{"GET", "/v1/schedules/{name}", Access::read, get_schedule},
    Route{"PUT", "/v1/schedules/{name}", Access::write, put_schedule},
    Route{"PATCH", "/v1/schedules/{name}", Access::write, patch_schedule},
    Route{"DELETE", "/v1/schedules/{name}", Access::write, delete_schedule},
    Route{"POST", "/v1/schedules/{name}/pause", Access::write, pause_schedule},
    Route{"POST", "/v1/schedules/{name}/resume", Access::write, resume_schedule},
    Route{"POST", "/v1/schedules/{name}/trigger", Access::write, trigger_schedule},
    Route{"GET", "/v1/schedules/{name}/next", Access::read, next_of_schedule},
    Route{"GET", "/v1/schedules/{name}/runs", Access::read, runs_of_schedule, Cost::read},
    Route{"POST", "/v1/tasks/{id}/run", Access::write, native_tasks::run},
    Route{"POST", "/v1/tasks/{id}/complete", Access::open, native_tasks::complete, Cost::change}
        .about(task_of_path),
    Route{"POST", "/v1/tasks/{id}/fail", Access::open, native_tasks::fail, Cost::change}.about(
        task_of_path),
    Route{"POST", "/v1/tasks/{id}/heartbeat", Access::open, native_tasks::heartbeat, Cost::change}
        .about(task_of_path),
    Route{"GET", "/v1/keys", Access::admin, native_keys::list, Cost::read},
    Route{"POST", "/v1/keys", Access::write, native_keys::create, Cost::change},
    Route{"POST", "/v1/keys/{name}/revoke", Access::write, native_keys::revoke},
    Route{"GET", "/v1/tenants", Access::operate, native_tenants::list, Cost::read},
    Route{"POST", "/v1/tenants", Access::operate, native_tenants::create, Cost::change},
    Route{"GET", "/v1/stats", Access::read, native_meta::stats, Cost::read},
    Route{"GET", "/v1/health", Access::read, native_meta::health, Cost::read},
    Route{"GET", "/v1/stats/series", Access::read, native_numbers::series, Cost::read},
    Route{"GET", "/v1/failures", Access::read, native_numbers::failures, Cost::read},
    Route{"GET", "/v1/retry-policies", Access::read, native_meta::retry_policies},
    Route{"GET", "/v1/whoami", Access::who, native_meta::whoami},
    Route{"GET", "/v1/info", Access::read, native_meta::info, Cost::read},
    Route{"GET", "/v1/openapi.json", Access::open, native_meta::openapi},
    Route{"GET", "/metrics", Access::open, native_meta::metrics, Cost::read},
    Route{"GET", "/monitor/metrics", Access::open, native_meta::metrics, Cost::read},
    Route{"GET", "/healthz", Access::open, native_meta::healthz},
    Route{"GET", "/readyz", Access::open, native_meta::readyz},
};

HttpResponse render_error(const Error& error) {
  JsonWriter out;
  out.begin_object().key("error");
  native_wire::write_error(out, error);
  out.end_object();
  return error_response(error, out.take());
}

std::string render_task(const Task& task) {
  JsonWriter out;
  native_wire::write_task(out, task);
  return out.take();
}

std::string task_path(const Task& task) { return "/v1/tasks/" + to_typeid(task.spec.id); }

constexpr std::array<std::string_view, 1> kBodyMarks{"webhook_url"};

constexpr DialectTable kNative{
    .dialect = Dialect::native,
    .routes = kRoutes,
    .render_error = render_error,
    .write_task = native_wire::write_task,
    .render_task = render_task,
    .render_created = render_task,
    .task_path = task_path,
    .body_marks = kBodyMarks,
};

}  // namespace

const DialectTable& native() { return kNative; }

}  // namespace postern
