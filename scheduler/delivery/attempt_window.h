// How many of a lane's attempts failed lately. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "core/time/time.h"

namespace postern::scheduler {

// The last minute in six parts, the newest of which is still filling: 50 to 60 s. Times must not go
// backwards.
class AttemptWindow {
 public:
  struct Counts {
    int attempts = 0;
    int failures = 0;
  };

  void add(bool failed, Monotonic now) {
    advance(now);
    auto& part = parts_[index(newest_)];
    ++part.attempts;
    part.failures += failed ? 1 : 0;
  }

  Counts counts(Monotonic now) {
    advance(now);
    Counts sum;
    for (const auto& part : parts_) {
      sum.attempts += part.attempts;
      sum.failures += part.failures;
    }
    return sum;
  }

  void clear() { parts_ = {}; }

 private:
  static constexpr std::chrono::seconds kPart{10};

  static std::size_t index(std::int64_t part) { return static_cast<std::size_t>(part) % 6; }

  void advance(Monotonic now) {
    const std::int64_t part = now.time_since_epoch() / kPart;
    if (part - newest_ >= 6) clear();
    for (; newest_ < part && part - newest_ < 6; ++newest_) parts_[index(newest_ + 1)] = {};
    newest_ = part;
  }

  std::array<Counts, 6> parts_{};
  std::int64_t newest_ = 0;
};

}  // namespace postern::scheduler
