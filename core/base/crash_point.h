// Places at which a program can be made to end at once, as by kill -9. Only builds with
// POSTERN_CRASH_POINTS have them; elsewhere they cost nothing. The variable POSTERN_CRASH_AT tells:
//   settle.sent     end there, the first time
//   settle.sent:7   the seventh time
//   list            end nowhere, and write the name of each point to standard error, once
#pragma once

#include <string_view>

namespace postern {

#ifdef POSTERN_CRASH_POINTS

inline constexpr bool kCrashPoints = true;

// What is ended has the exit status 137, as a shell shows for SIGKILL. May be called by any thread.
// `subject` is cut at the first space: of a statement without a name, its first word.
void crash_point(std::string_view subject, std::string_view moment);

#else

inline constexpr bool kCrashPoints = false;
inline void crash_point(std::string_view, std::string_view) {}

#endif

}  // namespace postern
