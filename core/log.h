// Logs: one line an event to stderr, with the priority prefix that journald reads ("<6>"),
// key=value. Never bodies, secrets or Authorization. spdlog does the work; thread-safe.
#pragma once

#include <string_view>

#include <spdlog/spdlog.h>

namespace postern {

// Sets up spdlog's default logger for this process. `level`: debug, info, warning or error;
// REQUIRES it to be one of these (config.h checks).
void start_logging(std::string_view level);

// A value from outside, made safe for one log line: control bytes escaped, cut to 200 bytes.
std::string log_safe(std::string_view text);

}  // namespace postern
