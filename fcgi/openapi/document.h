// The descriptions of the APIs: NAME.json beside this file for each dialect, built into the
// program.
#pragma once

#include <string>
#include <string_view>

#include "core/model/task.h"

namespace postern {

// OpenAPI 3.0.3, JSON, for the dialect mounted at `base_path` ("" at the root, else as "/queue").
// The files are kept by hand; the tests hold them against the route tables and against answers.
std::string openapi_document(Dialect dialect, std::string_view base_path);

// The file itself. A component that it refers to and does not define is native's.
std::string_view openapi_source(Dialect dialect);

}  // namespace postern
