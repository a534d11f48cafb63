// Priorities: 0 to 100 as they are stored, higher first, so that every wire's scale fits in.
#pragma once

#include <cstdint>

namespace postern {

// The wires that say 1 to 10, and postern.enqueue.
inline constexpr int kMinPriority = 1;
inline constexpr int kMaxPriority = 10;
inline constexpr int kPriorityScale = 10;

// REQUIRES: kMinPriority <= `shown` <= kMaxPriority.
constexpr int stored_priority(std::int64_t shown) {
  return static_cast<int>(shown) * kPriorityScale;
}
// The nearest of that scale to one that another wire may have set.
constexpr std::int64_t shown_priority(int stored) {
  return (stored + kPriorityScale / 2) / kPriorityScale;
}

}  // namespace postern
