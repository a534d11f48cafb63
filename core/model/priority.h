// Priorities. Stored as 0 to 100, higher first, so that the scale of every wire can be mapped.
#pragma once

#include <cstdint>

namespace postern {

// The scale 1 to 10 of postern.enqueue and of several wires.
inline constexpr int kMinPriority = 1;
inline constexpr int kMaxPriority = 10;
inline constexpr int kPriorityScale = 10;

// REQUIRES: kMinPriority <= `shown` <= kMaxPriority.
constexpr int stored_priority(std::int64_t shown) {
  return static_cast<int>(shown) * kPriorityScale;
}
// The nearest value on the scale 1 to 10; another wire may have stored one in between.
constexpr std::int64_t shown_priority(int stored) {
  return (stored + kPriorityScale / 2) / kPriorityScale;
}

}  // namespace postern
