// A creation as JSON: the form in which a schedule keeps the task it makes.
#pragma once

#include <string>
#include <string_view>

#include "core/model/creation.h"

namespace postern {

// Writes only what is set: {"queue","url","headers":[[name,value]],"timeout_ms",...}. A body is
// kept byte for byte; one that is not UTF-8 as base64. What the task of a schedule cannot ask for
// (`repeat`, `hold`, `load_results`) is left out.
std::string creation_json(const Creation& creation);

// Reads the same back; its `fields` name the members of this JSON. No rule is checked: that is
// check_creation's task. Unknown members are ignored, since a newer version may have written them.
// Throws std::runtime_error for what creation_json cannot have written.
Creation creation_from_json(std::string_view json);

}  // namespace postern
