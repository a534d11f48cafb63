// The log: one line per event to stderr, what happened and then key=value (docs/logs.md), with the
// priority prefix that journald reads
// ("<6>"). Bodies, secrets and Authorization headers are never logged. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace postern {

// Sets up the log of this process. REQUIRES: `level` is debug, info, warning or error; the
// settings are checked for that.
void start_logging(std::string_view level);

// An untrusted value made safe for one log line, between quotes or not: control bytes and quotes
// escaped, cut to `most` bytes.
std::string log_safe(std::string_view text, std::size_t most = 200);
// For why a program does not start: it stands in a sentence that says what to do.
inline constexpr std::size_t kWholeSentence = 2000;

namespace log {

enum class Level { debug, info, warning, error, critical };

// Whether messages of this level are written; if not, the caller need not format one.
bool wants(Level level);
// Writes one line through spdlog. Only log.cpp includes spdlog, because its templates cost five
// seconds of compilation in each file that does.
void write(Level level, std::string_view message);
void flush();

template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (wants(level)) write(level, fmt::vformat(format, fmt::make_format_args(args...)));
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void critical(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::critical, format, std::forward<Args>(args)...);
}

}  // namespace log
}  // namespace postern
