// The native dialect's two translations: JSON to what the Api takes, and what it gives back to
// JSON. No rules.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json_writer.h"
#include "core/task.h"
#include "fcgi/api.h"
#include "fcgi/field_reader.h"

namespace postern::native_wire {

// The body of POST /v1/tasks.
Result<Creation> parse_creation(std::string_view body);

// The same as a part of a body that has been found valid.
Result<Creation> parse_creation(FieldReader& fields);
// Parts of it: payload, body or payload_base64 with its content_type, and the priority (0..100).
void read_body(FieldReader& fields, Creation& wanted);
std::optional<int> read_priority(FieldReader& fields);

// The query of GET /v1/tasks; with `stream` its limit may be larger.
Result<db::TaskFilter> parse_filter(std::string_view query);
// Whether it asks for one task per line: "stream=ndjson".
Result<bool> parse_stream(std::string_view query);
// What a status stands for; empty: there is no such status.
std::vector<State> states_of(std::string_view status);

// The query of GET /v1/tasks/{id}: how long to wait for a change.
Result<Seconds> parse_wait(std::string_view query);

// The word for a state.
std::string_view status_of(State state);

// An error as an object: what is inside of "error".
void write_error(JsonWriter& out, const Error& error);

// One task as an object. What was not set, or is not known yet, is left out.
void write_task(JsonWriter& out, const Task& task);

// The list's envelope.
std::string render_page(const db::Page& page, const db::TaskFilter& filter);

}  // namespace postern::native_wire
