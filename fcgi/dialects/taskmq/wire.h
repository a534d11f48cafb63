// TaskMQ's two translations: JSON to what the use-cases take, and what they give back to JSON. No
// rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/json_writer.h"
#include "core/model/creation.h"
#include "core/model/task.h"
#include "fcgi/server/http.h"

namespace postern::taskmq_wire {

// What is wrong with a body, as pydantic 1 says it. `loc`: the elements of the JSON array, of which
// the first is "body". `ctx`: a JSON object of what `msg` tells in words; empty: there is none.
struct Mistake {
  std::string loc, msg, type, ctx = {};
};
using Mistakes = std::vector<Mistake>;
template <class T>
using Parsed = boost::system::result<T, Mistakes>;

// The body of POST /add-job: all that is wrong with it, in the order of the fields.
Parsed<Creation> parse_job(std::string_view body);
// The body of POST /cancel and POST /retry.
Parsed<std::int64_t> parse_job_id(std::string_view body);

// 422 with {"detail":[{"loc","msg","type"}]}, and "ctx" where there is one.
HttpResponse refusal(const Mistakes& mistakes);

// A job as an object.
void write_job(JsonWriter& out, const Task& task);

}  // namespace postern::taskmq_wire
