// The API's description, openapi.json beside this file, as it was when this program was built.
#pragma once

#include <string_view>

namespace postern {

// OpenAPI 3.0.3, JSON. Kept by hand; the tests hold it against the route table and against answers.
std::string_view openapi_document();

}  // namespace postern
