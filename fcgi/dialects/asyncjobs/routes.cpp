// asyncjobs's dialect. Its queues, schedules and errors are what the native ones were made of, so
// that most of its routes lead there; tasks and a few rules are its own.
#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "core/base/json_writer.h"
#include "core/base/text.h"
#include "core/model/retry_policy.h"
#include "core/wire/asyncjobs.h"
#include "fcgi/api/concurrency_limit.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/queues.h"
#include "fcgi/api/tasks.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"
#include "fcgi/dialects/asyncjobs/wire.h"
#include "fcgi/dialects/native/meta.h"
#include "fcgi/dialects/native/queues.h"
#include "fcgi/dialects/native/schedules.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/table.h"

namespace postern {
namespace {

void create_task(const Call& call, Finish finish) {
  Result<Creation> wanted = asyncjobs_wire::parse_creation(call.request.body);
  const CreationApi::Done answer = created_answer(call, std::move(finish));
  if (!wanted)
    return answer(call.use.creation.replay_or(call.caller, call.request, wanted.error()));
  call.use.creation.create(call.caller, call.request, std::move(*wanted), answer);
}

std::string render_tasks(const db::Listed& list) {
  JsonWriter out;
  out.begin_object().key("tasks").begin_array();
  for (const Task& task : list.tasks) write_asyncjobs_task(out, task);
  out.end_array();
  out.member("count", static_cast<std::int64_t>(list.tasks.size()));
  if (list.next) out.member("next_cursor", to_ksuid(*list.next));
  out.end_object();
  return out.take();
}

Result<HttpResponse> list_tasks(const Call& call) {
  const auto list = asyncjobs_wire::parse_list(call.request.query);
  if (!list) return list.error();
  auto pass = call.use.lists.enter(call.caller.tenant);
  if (!pass) {
    return Error{Errc::rate_limited, "list_in_progress", "",
                 "Another list is being read at the moment. Try again."};
  }
  if (list->stream) {
    Result<HttpResponse> response = native_tasks::stream(call, list->filter);
    if (!response) return response;
    // The place is taken for as long as the stream lasts, and given back before the client sees its
    // end: it may ask for the next list at once.
    response->rest = [rest = std::move(response->rest),
                      pass = std::move(pass)](std::string& piece) mutable {
      const Piece next = rest(piece);
      if (next != Piece::text) pass.reset();
      return next;
    };
    return response;
  }
  if (call.dialect) {
    return json_response(200, render_tasks(call.use.tasks.first(call.caller, list->filter)));
  }
  const Result<db::Page> page = call.use.tasks.list(call.caller, list->filter);
  if (!page) return page.error();
  return json_response(200, native_wire::render_page(*page, list->filter, call.dialect));
}

Result<HttpResponse> create_queue(const Call& call) {
  QueueSettings defaults;
  defaults.max_runtime = std::chrono::hours{1};
  defaults.max_concurrent = 100;
  return native_wire::create_queue_with(call, defaults);
}

Result<HttpResponse> delete_queue(const Call& call) {
  const auto done = call.use.queues.remove(call.caller, call.path["name"], true);
  if (!done) return done.error();
  return HttpResponse{204, {}, {}};
}

Result<HttpResponse> retry_policies(const Call&) {
  return native_meta::policies_response(RetryPolicy::tables());
}

constexpr std::array kRoutes{
    Route{"GET", "/healthz", Access::open, native_meta::healthz},
    Route{"GET", "/readyz", Access::open, native_meta::readyz},
    Route{"GET", "/v1/openapi.json", Access::open, native_meta::openapi},
    Route{"GET", "/v1/info", Access::read, native_meta::info, Cost::read},
    Route{"GET", "/v1/retry-policies", Access::read, retry_policies},
    Route{"POST", "/v1/tasks", Access::create, create_task},
    Route{"GET", "/v1/tasks", Access::read, list_tasks, Cost::read},
    Route{"POST", "/v1/tasks/retry", Access::retry, native_tasks::retry_many, Cost::sweep},
    Route{"GET", "/v1/tasks/{id}", Access::read, native_tasks::get},
    Route{"DELETE", "/v1/tasks/{id}", Access::write, native_tasks::remove},
    Route{"POST", "/v1/tasks/{id}/cancel", Access::write, native_tasks::cancel},
    Route{"POST", "/v1/tasks/{id}/retry", Access::retry, native_tasks::retry},
    Route{"POST", "/v1/queues", Access::write, create_queue},
    Route{"GET", "/v1/queues", Access::read, native_wire::list_queues, Cost::read},
    Route{"GET", "/v1/queues/{name}", Access::read, native_wire::get_queue},
    Route{"DELETE", "/v1/queues/{name}", Access::write, delete_queue, Cost::sweep},
    Route{"POST", "/v1/queues/{name}/purge", Access::write, native_wire::purge_queue, Cost::sweep},
    Route{"POST", "/v1/schedules", Access::write, create_schedule},
    Route{"GET", "/v1/schedules", Access::read, list_schedules, Cost::read},
    Route{"GET", "/v1/schedules/{name}", Access::read, get_schedule},
    Route{"DELETE", "/v1/schedules/{name}", Access::write, delete_schedule},
};

// The reasons that are one to a decoder of Go's: the body is not what it should be.
constexpr std::array<std::string_view, 5> kOfDecoder{"unknown_field", "invalid_type",
                                                     "object_required", "duplicate_field",
                                                     "payload_base64_invalid"};

HttpResponse render_error(const Error& error) {
  Error told = error;
  if (std::find(kOfDecoder.begin(), kOfDecoder.end(), told.reason) != kOfDecoder.end()) {
    told.reason = "invalid_json";
  }
  if (told.reason == "database_unavailable") told.reason = "storage_not_ready";
  if (told.reason == "timezone_invalid") {  // the zone is a part of the schedule there
    told.reason = "schedule_invalid";
    told.field = "schedule";
  }
  JsonWriter out;
  out.begin_object().key("error");
  native_wire::write_error(out, told);
  out.end_object();
  return error_response(told, out.take());
}

std::string render_task(const Task& task) {
  JsonWriter out;
  write_asyncjobs_task(out, task);
  return out.take();
}

std::string task_path(const Task& task) { return "/v1/tasks/" + to_ksuid(task.spec.id); }

constexpr std::array<std::string_view, 1> kBodyMarks{"type"};
constexpr std::array<std::string_view, 2> kQueryMarks{"state", "type"};

// A KSUID.
bool spells(std::string_view id) { return id.size() == 27 && all_of(id, is_alphanumeric); }

constexpr DialectTable kAsyncJobs{
    .dialect = Dialect::asyncjobs,
    .routes = kRoutes,
    .render_error = render_error,
    .write_task = write_asyncjobs_task,
    .render_task = render_task,
    .render_created = render_task,
    .task_path = task_path,
    .body_marks = kBodyMarks,
    .query_marks = kQueryMarks,
    .spells = spells,
};

}  // namespace

const DialectTable& asyncjobs() { return kAsyncJobs; }

}  // namespace postern
