// How much of receivers' answers is stored, in bytes.
#pragma once

#include <cstddef>

namespace postern {

inline constexpr std::size_t kAnswerKept = 16'384;     // of a body, with a finished task
inline constexpr std::size_t kAnswerInAttempt = 1024;  // of a body, with each attempt
inline constexpr std::size_t kErrorKept = 1024;        // of an error's text

}  // namespace postern
