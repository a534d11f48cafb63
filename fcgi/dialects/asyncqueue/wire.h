// AsyncQueue's two translations: JSON to what the use-cases take, and what they give back to JSON.
// No rules.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json_writer.h"
#include "core/model/creation.h"
#include "core/model/task.h"
#include "fcgi/api/tasks.h"

namespace postern::asyncqueue_wire {

// The body of POST /v1/tasks. `secret`: what a signal's token is to be proved by, should the task
// wait for one.
Result<Creation> parse_creation(std::string_view body, std::string secret);

// Narrows a list to what a status of this wire means; false: it is no such word.
bool filter_by_status(db::TaskFilter& filter, std::string_view status);

// The query of GET /v1/tasks.
Result<db::TaskFilter> parse_filter(std::string_view query);

// The body of POST /v1/signals/{token}.
struct Signal {
  bool completed;
  std::string error;
};
Result<Signal> parse_signal(std::string_view body);

// One task as an object; what is not set is null.
void write_task(JsonWriter& out, const Task& task);
// {"task":{...}}
std::string render_task(const Task& task);
// The same, and the token of the signal that it waits for: {"task":{...},"signalToken":"..."}.
std::string render_created(const Task& task);
// {"tasks":[...],"pagination":{total,limit,offset,hasMore}}
std::string render_page(const db::Page& page, const db::TaskFilter& filter);

}  // namespace postern::asyncqueue_wire
