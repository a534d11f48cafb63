#include "fcgi/dialects/native/schedules.h"

#include <fmt/format.h>

#include "fcgi/api/schedules.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"

namespace postern {
namespace {

HttpResponse schedule_response(int status, const Schedule& schedule) {
  JsonWriter out;
  native_wire::write_schedule(out, schedule);
  return json_response(status, out.take());
}

Result<HttpResponse> answer(const Result<Schedule>& schedule) {
  if (!schedule) return schedule.error();
  return schedule_response(200, *schedule);
}

Result<HttpResponse> answer(const Result<std::vector<Time>>& times) {
  if (!times) return times.error();
  JsonWriter out;
  wire::write_next(out, *times);
  return json_response(200, out.take());
}

std::string location(const Call& call, std::string_view rest) {
  return fmt::format("{}/v1/{}", link_base(call.use, call.request), rest);
}

// The body as a change to the schedule in the path. It cannot be renamed.
SchedulesApi::Change change_by(const Call& call) {
  return [&call](Schedule& onto) -> Result<void> {
    const std::string name = onto.name;
    if (const auto ok = native_wire::apply_schedule(call, onto); !ok) return ok;
    if (onto.name == name) return {};
    return invalid("schedule_invalid", "name",
                   "name must be the one in the path, or absent; a schedule cannot be renamed.");
  };
}

}  // namespace

Result<HttpResponse> create_schedule(const Call& call) {
  Schedule wanted;
  if (const auto ok = native_wire::apply_schedule(call, wanted); !ok) {
    return ok.error();
  }
  // asyncjobs knows no other target.
  if (call.dialect == Dialect::asyncjobs && wanted.task.dialect != Dialect::asyncjobs) {
    return invalid("task_type_invalid", "task_type", "task_type is required.");
  }
  const auto made = call.use.schedules.create(call.caller.tenant, std::move(wanted));
  if (!made) return made.error();
  HttpResponse response = schedule_response(201, *made);
  response.header("Location", location(call, "schedules/" + made->name));
  return response;
}

Result<HttpResponse> list_schedules(const Call& call) {
  const auto filter = native_wire::parse_schedule_filter(call.request.query);
  if (!filter) return filter.error();
  // One more tells whether there are more.
  auto found =
      call.use.schedules.list(call.caller.tenant, filter->queue, filter->after, filter->limit + 1);
  const bool has_more = found.size() > static_cast<std::size_t>(filter->limit);
  if (has_more) found.pop_back();
  JsonWriter out;
  out.begin_object().key("schedules").begin_array();
  for (const auto& schedule : found) native_wire::write_schedule(out, schedule);
  out.end_array();
  if (has_more) out.member("next_cursor", found.back().name);
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> get_schedule(const Call& call) {
  return answer(call.use.schedules.get(call.caller.tenant, call.path["name"]));
}

Result<HttpResponse> put_schedule(const Call& call) {
  const auto put = call.use.schedules.put(call.caller.tenant, call.path["name"], change_by(call));
  if (!put) return put.error();
  HttpResponse response = schedule_response(put->created ? 201 : 200, put->schedule);
  if (put->created) {
    response.header("Location", location(call, "schedules/" + put->schedule.name));
  }
  return response;
}

Result<HttpResponse> patch_schedule(const Call& call) {
  return answer(call.use.schedules.change(call.caller.tenant, call.path["name"], change_by(call)));
}

Result<HttpResponse> delete_schedule(const Call& call) {
  if (const auto ok = call.use.schedules.remove(call.caller.tenant, call.path["name"]); !ok) {
    return ok.error();
  }
  return HttpResponse{204, {}, {}};
}

Result<HttpResponse> pause_schedule(const Call& call) {
  return answer(call.use.schedules.set_paused(call.caller.tenant, call.path["name"], true));
}

Result<HttpResponse> resume_schedule(const Call& call) {
  return answer(call.use.schedules.set_paused(call.caller.tenant, call.path["name"], false));
}

Result<HttpResponse> trigger_schedule(const Call& call) {
  const auto run = call.use.schedules.trigger(call.caller.tenant, call.path["name"]);
  if (!run) return run.error();
  JsonWriter out;
  native_wire::write_run(out, *run);
  HttpResponse response = json_response(201, out.take());
  response.header("Location", location(call, "tasks/" + to_typeid(*run->task)));
  return response;
}

Result<HttpResponse> next_of_schedule(const Call& call) {
  const Result<int> count = native_wire::parse_next(call.request.query);
  if (!count) return count.error();
  return answer(call.use.schedules.next(call.caller.tenant, call.path["name"], *count));
}

Result<HttpResponse> preview_schedule(const Call& call) {
  auto wanted = native_wire::parse_preview(call);
  if (!wanted) return wanted.error();
  return answer(call.use.schedules.preview(std::move(wanted->schedule), wanted->count));
}

Result<HttpResponse> runs_of_schedule(const Call& call) {
  const auto filter = native_wire::parse_run_filter(call.request.query);
  if (!filter) return filter.error();
  auto runs = call.use.schedules.runs(call.caller.tenant, call.path["name"], filter->before,
                                      filter->limit + 1);
  if (!runs) return runs.error();
  const bool has_more = runs->size() > static_cast<std::size_t>(filter->limit);
  if (has_more) runs->pop_back();
  JsonWriter out;
  out.begin_object().key("runs").begin_array();
  for (const auto& run : *runs) native_wire::write_run(out, run);
  out.end_array();
  if (has_more) out.member("next_cursor", native_wire::run_cursor(runs->back()));
  out.end_object();
  return json_response(200, out.take());
}

}  // namespace postern
