// Headers as the JSON object that a column or a record keeps.
#pragma once

#include <string>
#include <string_view>

#include "core/base/headers.h"

namespace postern {

// {"name": "value"}; "" when there are none.
std::string headers_json(const Headers& headers);
// The reverse. What cannot be read becomes a header that check_headers refuses, so that one bad row
// ends as a failed task and does not stop its whole batch.
Headers headers_from_json(std::string_view json);

}  // namespace postern
