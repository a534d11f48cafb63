// asyncjobs's translation of JSON to what the use-cases take. No rules.
#pragma once

#include <string_view>

#include "core/base/error.h"
#include "core/model/creation.h"
#include "fcgi/api/tasks.h"

namespace postern::asyncjobs_wire {

// The body of POST /v1/tasks.
Result<Creation> parse_creation(std::string_view body);

// The query of GET /v1/tasks.
struct List {
  db::TaskFilter filter;
  bool stream = false;  // one task per line
};
Result<List> parse_list(std::string_view query);

}  // namespace postern::asyncjobs_wire
