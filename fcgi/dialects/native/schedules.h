// /v1/schedules: its handlers, for the table in routes.cpp, and their translations, without rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/schedule.h"
#include "core/wire/schedule_json.h"
#include "fcgi/api/schedules.h"
#include "fcgi/dialects/table.h"

namespace postern {

Result<HttpResponse> create_schedule(const Call& call);
Result<HttpResponse> list_schedules(const Call& call);
Result<HttpResponse> get_schedule(const Call& call);
Result<HttpResponse> put_schedule(const Call& call);
Result<HttpResponse> patch_schedule(const Call& call);
Result<HttpResponse> delete_schedule(const Call& call);
Result<HttpResponse> pause_schedule(const Call& call);
Result<HttpResponse> resume_schedule(const Call& call);
Result<HttpResponse> trigger_schedule(const Call& call);
Result<HttpResponse> next_of_schedule(const Call& call);
Result<HttpResponse> preview_schedule(const Call& call);
Result<HttpResponse> runs_of_schedule(const Call& call);

}  // namespace postern

namespace postern::native_wire {

// A request's body applied to a schedule: what is not given stays as it is. asyncjobs's body is the
// same with `task_type` for `endpoint`; of a new schedule it also sets that wire's defaults.
Result<void> apply_schedule(const Call& call, Schedule& onto);

// The query of GET /v1/schedules.
struct ScheduleFilter {
  std::string queue;  // empty: all
  std::string after;  // by name
  int limit = 1000;
};
Result<ScheduleFilter> parse_schedule_filter(std::string_view query);

// The query of GET /v1/schedules/{name}/next: how many.
Result<int> parse_next(std::string_view query);

// The body of POST /v1/schedules/preview: times, and how many of them.
struct Preview {
  Schedule schedule;
  int count = 10;
};
Result<Preview> parse_preview(const Call& call);

// The query of GET /v1/schedules/{name}/runs.
struct RunFilter {
  std::optional<Time> before;
  int limit = 20;
};
Result<RunFilter> parse_run_filter(std::string_view query);

using wire::write_run;
using wire::write_schedule;
// As the list's cursor.
std::string run_cursor(const db::ScheduleRun& run);

}  // namespace postern::native_wire
