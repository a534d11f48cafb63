// Limits how often a repeating error is logged. Not thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

namespace postern {

// Lets one line in five seconds through and counts the suppressed ones.
class LogThrottle {
 public:
  // The number of lines suppressed since the last one that was logged; nullopt: suppress this one
  // too.
  std::optional<int> pass() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) {
      ++kept_back_;
      return std::nullopt;
    }
    next_ = now + std::chrono::seconds(5);
    return std::exchange(kept_back_, 0);
  }

 private:
  std::chrono::steady_clock::time_point next_{};
  int kept_back_ = 0;
};

}  // namespace postern
