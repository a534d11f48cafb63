// TaskMQ's dialect: jobs with integer ids, and errors as {"detail":...}, as FastAPI has them.
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/base/json_writer.h"
#include "core/base/text.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/status.h"
#include "fcgi/api/tasks.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"
#include "fcgi/dialects/native/meta.h"
#include "fcgi/dialects/table.h"
#include "fcgi/dialects/taskmq/wire.h"

namespace postern {
namespace {

void add_job(const Call& call, Finish finish) {
  auto wanted = taskmq_wire::parse_job(call.request.body);
  if (!wanted) return finish(taskmq_wire::refusal(wanted.error()));
  call.use.creation.create(call.caller, call.request, std::move(*wanted),
                           created_answer(call, std::move(finish)));
}

// {"status":...,"job_id":...}
std::string receipt(std::string_view status, std::int64_t job_id) {
  JsonWriter out;
  out.begin_object().member("status", status).member("job_id", job_id).end_object();
  return out.take();
}

// A conflict is told as what the job is not.
Error told_as(Error error, std::string message) {
  if (error.code == Errc::conflict) error.message = std::move(message);
  return error;
}

Result<HttpResponse> cancel_job(const Call& call) {
  const auto id = taskmq_wire::parse_job_id(call.request.body);
  if (!id) return taskmq_wire::refusal(id.error());
  const auto done = call.use.tasks.cancel(call.caller, std::to_string(*id));
  if (!done) return told_as(done.error(), "Job is not pending");
  return json_response(200, receipt("cancelled", *id));
}

Result<HttpResponse> retry_job(const Call& call) {
  const auto id = taskmq_wire::parse_job_id(call.request.body);
  if (!id) return taskmq_wire::refusal(id.error());
  const auto done = call.use.tasks.retry(call.caller, std::to_string(*id), Dialect::taskmq);
  if (!done) return told_as(done.error(), "Job is not failed");
  return json_response(200, receipt("retrying", *id));
}

Result<HttpResponse> get_job(const Call& call) {
  const Result<Task> task = call.use.tasks.get(call.caller, call.path["id"], Seconds{0});
  if (!task) return task.error();
  return task_response(call, 200, *task);
}

Result<HttpResponse> health(const Call& call) {
  const Readiness ready = call.use.status.readiness();
  JsonWriter out;
  out.begin_object();
  if (!ready.tasks || !ready.config) {
    out.member("status", "db_error").end_object();
    return json_response(503, out.take());
  }
  out.member("status", "ok")
      .member("worker", ready.schedulers && ready.schedulers->up > 0 ? "alive" : "unknown")
      .end_object();
  return json_response(200, out.take());
}

constexpr std::array kRoutes{
    Route{"POST", "/add-job", Access::create, add_job},
    Route{"POST", "/cancel", Access::write, cancel_job},
    Route{"POST", "/retry", Access::retry, retry_job},
    Route{"GET", "/job/{id}", Access::read, get_job},
    Route{"GET", "/health", Access::open, health},
    Route{"GET", "/monitor/metrics", Access::open, native_meta::metrics, Cost::read},
    Route{"GET", "/monitor/metrics/", Access::open, native_meta::metrics, Cost::read},
    Route{"GET", "/openapi.json", Access::open, native_meta::openapi},
};

std::string_view text_of(const Error& error) {
  switch (error.code) {
    case Errc::unauthenticated: return "Invalid or missing token";
    case Errc::forbidden: return "Insufficient permissions";
    case Errc::not_found:
      if (error.reason == "task_not_found") return "Job not found";
      return error.reason == "no_such_path" ? std::string_view("Not Found") : error.message;
    case Errc::method_not_allowed: return "Method Not Allowed";
    case Errc::invalid_argument:
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
  if (error.code == Errc::invalid_argument && !error.field.empty()) {
    const bool of_header = error.field == "Idempotency-Key";
    return taskmq_wire::refusal(
        {{fmt::format(R"("{}",{})", of_header ? "header" : "body", json_quote(error.field)),
          error.message, "value_error"}});
  }
  JsonWriter out;
  out.begin_object().member("detail", text_of(error)).end_object();
  return error_response(error, out.take());
}

std::string render_job(const Task& task) {
  JsonWriter out;
  taskmq_wire::write_job(out, task);
  return out.take();
}

std::string render_created(const Task& task) {
  return task.spec.job_id ? receipt("ok", *task.spec.job_id) : render_job(task);
}

std::string job_path(const Task& task) {
  return "/job/" + (task.spec.job_id ? std::to_string(*task.spec.job_id) : to_uuid(task.spec.id));
}

bool spells(std::string_view id) { return !id.empty() && all_of(id, is_digit); }

constexpr DialectTable kTaskMq{
    .dialect = Dialect::taskmq,
    .routes = kRoutes,
    .render_error = render_error,
    .write_task = taskmq_wire::write_job,
    .render_task = render_job,
    .render_created = render_created,
    .created_status = 200,
    .task_path = job_path,
    .redirects_slashes = true,
    .shared = false,
    .spells = spells,
};

}  // namespace

const DialectTable& taskmq() { return kTaskMq; }

}  // namespace postern
