// Times in ISO 8601, for programs that do not keep to RFC 3339.
#pragma once

#include <optional>
#include <string>

#include "core/time/time.h"

namespace postern {

// A time as Python's isoformat() writes it: "2026-04-01T12:00:00+00:00", with six decimals unless
// they are zero.
std::string format_isoformat(Time time);
// Reads a time with "Z", an offset or neither (UTC), a T or a space in the middle, and seconds with
// decimals, without, or left out. nullopt for anything else.
std::optional<Time> parse_isoformat(std::string text);

}  // namespace postern
