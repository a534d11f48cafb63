// One attempt as JSON: the form in which the row keeps it and the native API shows it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/task.h"

namespace postern {

// {"number","status","response_code","error"?,"executed_at","duration_ms","response"?}: fits
// PostgreSQL's jsonb whatever bytes the receiver sent (invalid UTF-8 and NUL become U+FFFD).
// `error` and `response` are left out when empty.
std::string attempt_json(const Attempt& attempt);

// When the first and the last of the kept attempts began, of a task's `attempts`; nullopt: there
// are none.
struct AttemptSpan {
  std::optional<Time> first, last;
};
AttemptSpan attempt_times(std::string_view attempts);

// The number of the last attempt in a task's `attempts`; 0: there are none.
int last_attempt(std::string_view attempts);

}  // namespace postern
