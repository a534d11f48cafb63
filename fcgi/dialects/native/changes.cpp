// PATCH /v1/tasks/{id} and POST /v1/tasks/{id}/run.
#include <utility>

#include "fcgi/api/changes.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/table.h"

namespace postern::native_tasks {
namespace {

Result<db::Change> parse_change(std::string_view body) {
  Result<FieldReader> parsed = FieldReader::parse(body);
  if (!parsed) return parsed.error();
  FieldReader& fields = *parsed;
  db::Change change;
  change.run_at = fields.time(wire::kTaskNames.run_at);
  if (const auto delay = fields.integer(wire::kTaskNames.delay)) change.delay = Seconds{*delay};
  change.priority = native_wire::read_priority(fields);
  Creation wanted;
  native_wire::read_body(fields, wanted);
  if (wanted.body) {
    change.body_form = wanted.body_form;
    change.body = std::move(wanted.body);
    change.content_type = std::move(wanted.content_type);
  }
  if (const auto ok = fields.finish(); !ok) return ok.error();
  return change;
}

}  // namespace

Result<HttpResponse> change(const Call& call) {
  const Result<db::Change> wanted = parse_change(call.request.body);
  if (!wanted) return wanted.error();
  const Result<Task> task = call.use.changes.change(call.caller, call.path["id"], *wanted);
  if (!task) return task.error();
  return task_response(call, 200, *task);
}

Result<HttpResponse> run(const Call& call) {
  const Result<Task> task = call.use.changes.run(call.caller, call.path["id"]);
  if (!task) return task.error();
  return task_response(call, 200, *task);
}

}  // namespace postern::native_tasks
