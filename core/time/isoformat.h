// Times as programs write them that know ISO 8601 and not RFC 3339.
#pragma once

#include <optional>
#include <string>

#include "core/time/time.h"

namespace postern {

// A moment as Python's isoformat() writes it: "2026-04-01T12:00:00+00:00", with six decimals unless
// they are zero.
std::string format_isoformat(Time time);
// What such programs send: with "Z", an offset or neither (UTC), a T or a space, and seconds with
// decimals, without, or left out.
std::optional<Time> parse_isoformat(std::string text);

}  // namespace postern
