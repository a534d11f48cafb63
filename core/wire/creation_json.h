// A creation as JSON: the form in which a schedule keeps the task it makes.
#pragma once

#include <string>
#include <string_view>

#include "core/model/creation.h"

namespace postern {

// Only what is set: {"queue","url","headers":[[name,value]],"timeout_ms",...}. A body is kept byte
// for byte; one that is not UTF-8 as base64. What no schedule's task can ask for (`repeat`, `hold`,
// `load_results`) is left out.
std::string creation_json(const Creation& creation);

// Reads back the same, but for `fields`, which name the members. No rule is checked: check_creation
// does. Members it does not know are ignored, as a newer version may have written them. Throws
// std::runtime_error for what creation_json does not write.
Creation creation_from_json(std::string_view json);

}  // namespace postern
