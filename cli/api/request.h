// A request's path and query as they go over the wire.
#pragma once

#include <string>
#include <string_view>

#include "cli/api/api.h"

namespace postern::admin {

std::string percent_encoded(std::string_view text);
std::string query_text(const ApiRequest& request);
// "/v1/queues/a%20b".
std::string encoded_path(const ApiRequest& request);

}  // namespace postern::admin
