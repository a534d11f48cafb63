// Text from elsewhere, so that it cannot steer the terminal that shows it.
#pragma once

#include <string>
#include <string_view>

namespace postern::admin {

// `text` with its control characters, line ends included, and what is not UTF-8 as \xNN.
std::string printable(std::string_view text);

// JSON that JsonWriter made, with the control characters that JSON allows in strings as \uNNNN; it
// is the same value. REQUIRES: it is UTF-8.
std::string printable_json(std::string_view json);

}  // namespace postern::admin
