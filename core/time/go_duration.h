// Durations as Go writes them, "1h30m" or "250ms": what asyncjobs's wire and "@every" use.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "core/base/error.h"

namespace postern {

// Reads exactly what Go's time.ParseDuration reads: an optional sign, then "0" alone or one or more
// decimals with a unit each (ns, us, µs with either micro sign, ms, s, m, h): "1.5h", ".5s",
// "-1h30m". Fractions of a nanosecond are truncated. nullopt for anything else, and for a duration
// that does not fit into 64 bits of nanoseconds (292 years).
std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text);

// Same as parse_go_duration, with the error invalid_argument "invalid_duration" for `field`.
Result<std::chrono::nanoseconds> read_go_duration(std::string_view text, std::string_view field);

}  // namespace postern
