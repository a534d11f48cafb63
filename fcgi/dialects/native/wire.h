// The native dialect's two translations: JSON to what the use-cases take, and what they give back
// to JSON. No rules.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/json_writer.h"
#include "core/model/creation.h"
#include "core/model/task.h"
#include "core/wire/task_json.h"
#include "fcgi/api/tasks.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

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
// also be a word of another dialect's, whose clients ask at the same path.
Result<db::TaskFilter> parse_filter(std::string_view query, bool every_dialect = false);
// Whether it asks for one task per line: "stream=ndjson".
Result<bool> parse_stream(std::string_view query);
// A filter's reason. The error: there is no such.
Result<Reason> filter_reason(std::string_view word);
// The parameter of that name.
void read_reason(Query& query, std::optional<Reason>& into);
// What a status stands for; empty: there is no such status.
std::vector<State> states_of(std::string_view status);

// The query of GET /v1/tasks/{id}: how long to wait for a change.
Result<Seconds> parse_wait(std::string_view query);

using wire::status_of;
using wire::write_task;

// An error as an object: what is inside of "error".
void write_error(JsonWriter& out, const Error& error);

// The list's envelope, with each task as `mount` shows it (see shown_to).
std::string render_page(const db::Page& page, const db::TaskFilter& filter,
                        std::optional<Dialect> mount);

}  // namespace postern::native_wire
