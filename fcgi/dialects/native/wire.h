// The native dialect's two translations: JSON to what the Api takes, and what it gives back to
// JSON. No rules.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/json_writer.h"
#include "core/model/task.h"
#include "fcgi/api/api.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/router.h"

namespace postern::native_wire {

// The fields of a request's body, read as the mount's dialect reads JSON.
Result<FieldReader> fields_of(const Call& call);

// The fields that tasks and schedules have in common, onto `wanted`: what is not given stays.
void read_task_fields(FieldReader& fields, Creation& wanted);

// The body of POST /v1/tasks.
Result<Creation> parse_creation(std::string_view body);

// The same as a part of a body that has been found valid.
Result<Creation> parse_creation(FieldReader& fields);
// Parts of it: payload, body or payload_base64 with its content_type, and the priority (0..100).
void read_body(FieldReader& fields, Creation& wanted);
std::optional<int> read_priority(FieldReader& fields);

// The query of GET /v1/tasks; with `stream` its limit may be larger. `every_dialect`: `status` may
// also be a word of AsyncQueue's, whose clients ask at the same path.
Result<db::TaskFilter> parse_filter(std::string_view query, bool every_dialect = false);
// Whether it asks for one task per line: "stream=ndjson".
Result<bool> parse_stream(std::string_view query);
// What a status stands for; empty: there is no such status.
std::vector<State> states_of(std::string_view status);

// The query of GET /v1/tasks/{id}: how long to wait for a change.
Result<Seconds> parse_wait(std::string_view query);

// A member, unless it is empty; a time; whole seconds as an integer; an object of strings; an
// array.
void write_text(JsonWriter& out, std::string_view key, std::string_view text);
void write_time(JsonWriter& out, std::string_view key, Time time);
void write_seconds(JsonWriter& out, std::string_view key, Milliseconds time);
void write_headers(JsonWriter& out, const Headers& headers);
void write_texts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts);
void write_retry_policy(JsonWriter& out, const std::string& policy);
// As the payload, body or payload_base64 that it was given as.
void write_body(JsonWriter& out, BodyForm form, const std::string& body);

// Core's 0..100 as the wire's 1..10.

// The word for a state.
std::string_view status_of(State state);

// An error as an object: what is inside of "error".
void write_error(JsonWriter& out, const Error& error);

// One task as an object. What was not set, or is not known yet, is left out.
void write_task(JsonWriter& out, const Task& task);

// Pieces of it that others have too. Seconds are an integer when they are whole; other dialects may
// have set a fraction.
void write_headers(JsonWriter& out, const Headers& headers);
void write_seconds(JsonWriter& out, std::string_view key, Milliseconds time);

// The list's envelope, with each task as `mount` shows it (see shown_to).
std::string render_page(const db::Page& page, const db::TaskFilter& filter,
                        std::optional<Dialect> mount);

}  // namespace postern::native_wire
