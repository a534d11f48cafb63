// The native dialect's two translations: JSON to what the Api takes, and what it gives back to
// JSON. No rules.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "core/json_writer.h"
#include "core/task.h"
#include "fcgi/api.h"
#include "fcgi/router.h"

namespace postern::native_wire {

// The body of POST /v1/tasks.
Result<Creation> parse_creation(std::string_view body);

// The query of GET /v1/tasks.
Result<db::TaskFilter> parse_filter(std::string_view query);

// The query of GET /v1/tasks/{id}: how long to wait for a change.
Result<Seconds> parse_wait(std::string_view query);

// One task as an object. What was not set, or is not known yet, is left out.
void write_task(JsonWriter& out, const Task& task);

// Pieces of it that others have too. Seconds are an integer when they are whole; other dialects may
// have set a fraction.
void write_headers(JsonWriter& out, const Headers& headers);
void write_seconds(JsonWriter& out, std::string_view key, Milliseconds time);

// Answers with the new task, wherever one is made.
Api::Done created_answer(const Call& call, Finish finish);

// The list's envelope.
std::string render_page(const db::Page& page, const db::TaskFilter& filter);

}  // namespace postern::native_wire
