// How much is kept of what receivers say, in bytes.
#pragma once

#include <cstddef>

namespace postern {

inline constexpr std::size_t kAnswerKept = 16 * 1024;  // of a body, with a finished task
inline constexpr std::size_t kAnswerInAttempt = 1024;  // of a body, with each attempt
inline constexpr std::size_t kErrorKept = 1024;        // of the text of an error

}  // namespace postern
