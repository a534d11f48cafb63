// POST /v1/tasks/batch.
#include <utility>

#include "core/base/json.h"
#include "core/base/json_writer.h"
#include "fcgi/api/batch.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/query.h"

namespace postern::native_tasks {
namespace {

Result<bool> parse_atomic(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return query.error();
  const auto atomic = query->text("atomic");
  if (atomic && *atomic != "true" && *atomic != "false") {
    query->refuse(invalid("atomic_invalid", "atomic", "atomic must be true or false."));
  }
  if (const auto ok = query->finish(); !ok) return ok.error();
  return atomic == "true";
}

Result<Creation> parse_item(std::string_view item) {
  if (json_kind(item) != JsonKind::object) {
    return invalid("object_required", "", "A task must be a JSON object.");
  }
  Result<FieldReader> fields = FieldReader::part(item, "");
  if (!fields) return fields.error();
  return native_wire::parse_creation(*fields);
}

Result<BatchApi::Wanted> parse_batch(const HttpRequest& request) {
  Result<FieldReader> fields = FieldReader::parse(request.body);
  if (!fields) return fields.error();
  const auto items = fields->elements("tasks");
  if (const auto ok = fields->finish(); !ok) return ok.error();
  if (const auto ok = BatchApi::check(request, items ? items->size() : 0); !ok) return ok.error();
  BatchApi::Wanted wanted;
  wanted.reserve(items->size());
  for (const std::string_view item : *items) wanted.push_back(parse_item(item));
  return wanted;
}

// As many as there are, so that nothing is copied while it is written.
HttpResponse render(const std::vector<Result<Task>>& results) {
  JsonWriter out;
  std::int64_t created = 0;
  out.begin_object().key("results").begin_array();
  for (const Result<Task>& result : results) {
    out.begin_object();
    if (result) {
      ++created;
      out.member("status", "created").key("task");
      native_wire::write_task(out, *result);
    } else {
      out.member("status", "failed").key("error");
      native_wire::write_error(out, result.error());
    }
    out.end_object();
  }
  out.end_array();
  out.member("created", created);
  out.member("failed", static_cast<std::int64_t>(results.size()) - created);
  out.end_object();
  return json_response(200, out.take());
}

}  // namespace

void create_batch(const Call& call, Finish finish) {
  const Result<bool> atomic = parse_atomic(call.request.query);
  if (!atomic) return finish(atomic.error());
  Result<BatchApi::Wanted> wanted = parse_batch(call.request);
  if (!wanted) return finish(wanted.error());
  BatchApi& batches = call.use.batches;
  if (!*atomic) {
    return batches.create_each(
        call.caller, call.request, std::move(*wanted),
        [finish = std::move(finish)](const auto& results) { finish(render(results)); });
  }
  Result<std::vector<Task>> tasks =
      batches.create_all(call.caller, call.request, std::move(*wanted));
  if (!tasks) return finish(tasks.error());
  finish(render({std::make_move_iterator(tasks->begin()), std::make_move_iterator(tasks->end())}));
}

}  // namespace postern::native_tasks
