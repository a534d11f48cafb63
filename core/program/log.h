// Logs: one line an event to stderr, with the priority prefix that journald reads ("<6>"),
// key=value. Never bodies, secrets or Authorization. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace postern {

// Sets up the log of this process. `level`: debug, info, warning or error; REQUIRES it to be one of
// these (config.h checks).
void start_logging(std::string_view level);

// A value from outside, made safe for one log line: control bytes escaped, cut to 200 bytes.
std::string log_safe(std::string_view text);

namespace log {

enum class Level { debug, info, warning, error, critical };

// Whether a message of this level is written; what it says need not be made up otherwise.
bool wants(Level level);
// Writes one line. spdlog does the work, out of sight: its own templates cost five seconds of
// compilation in each file that logs.
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
