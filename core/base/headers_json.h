// Headers as a JSON object, which is how columns and attempt records store them.
#pragma once

#include <string>
#include <string_view>

#include "core/base/headers.h"

namespace postern {

// {"name": "value"}; "" when there are none.
std::string headers_json(const Headers& headers);
// Reads what headers_json wrote. An unreadable text becomes one header that check_headers refuses,
// so that a bad row ends as a failed task and does not stop the batch it was claimed in.
Headers headers_from_json(std::string_view json);

}  // namespace postern
