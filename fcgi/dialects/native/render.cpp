#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/table.h"

namespace postern::native_wire {

void write_error(JsonWriter& out, const Error& error) {
  out.begin_object();
  out.member("code", name(error.code));
  out.member("message", error.message);
  if (!error.reason.empty() || !error.field.empty()) {
    out.key("details").begin_object();
    if (!error.reason.empty()) out.member("reason", error.reason);
    if (!error.field.empty()) out.member("field", error.field);
    out.end_object();
  }
  out.end_object();
}

std::string render_page(const db::Page& page, const db::TaskFilter& filter,
                        std::optional<Dialect> mount) {
  JsonWriter out;
  out.begin_object();
  out.key("tasks").begin_array();
  for (const Task& task : page.tasks) shown_to(mount, task).write_task(out, task);
  out.end_array();
  out.member("count", static_cast<std::int64_t>(page.tasks.size()));
  out.key("pagination").begin_object();
  out.member("total", page.total);
  out.member("limit", std::int64_t{filter.limit});
  out.member("offset", std::int64_t{filter.offset});
  out.member("hasMore", page.next.has_value());
  if (page.total_estimated) out.member("total_estimated", true);
  if (page.next) out.member("next_cursor", to_typeid(*page.next));
  out.end_object();
  out.end_object();
  return out.take();
}

}  // namespace postern::native_wire
