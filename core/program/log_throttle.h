// Keeps an error that repeats from flooding the log.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

namespace postern {

// Lets one line in five seconds pass and counts those it kept back.
class LogThrottle {
 public:
  // How many were kept back since the last line; nullopt: keep this one back as well.
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
