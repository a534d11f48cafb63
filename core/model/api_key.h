// API keys: their text, of which only the hash is stored, and their names.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace postern {

inline constexpr std::string_view kKeyPrefix = "postern_";

// A new key's text: kKeyPrefix, or kSandboxKeyPrefix for one of the sandbox, then 43 random
// characters of base 62. Where there are several cells the label of the one that made it stands
// before them: "postern_eu2_…". nginx/cells.conf reads it there. `cell` empty: there is one.
std::string make_api_key(bool sandbox, std::string_view cell);

// 1..64 printable ASCII bytes without "/", no space at either end, and neither "." nor "..", so
// that it can stand in a path; else "name_required" or "name_invalid".
Result<void> check_key_name(std::string_view name, std::string_view field);

}  // namespace postern
