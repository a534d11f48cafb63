// The descriptions of the APIs. The parts of each stand in the folder NAME beside this file; the
// build joins them (bundle.py) and puts the document into the program (embed.cmake).
#pragma once

#include <string>
#include <string_view>

#include "core/model/task.h"

namespace postern {

// OpenAPI 3.0.3, JSON, for the dialect mounted at `base_path` ("" at the root, else as "/queue").
// The parts are kept by hand; the tests hold them against the route tables and against answers.
std::string openapi_document(Dialect dialect, std::string_view base_path);

// The joined parts alone. A component that it refers to and does not define is native's.
std::string_view openapi_source(Dialect dialect);

}  // namespace postern
