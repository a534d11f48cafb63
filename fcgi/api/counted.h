// What is dear to count, counted once for all who ask soon after.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

#include "fcgi/server/worker_gate.h"

namespace postern {

// Thread-safe. What took long to count is given for longer, so that counting takes at most a tenth
// of the time; it is 15 s old at most.
template <class Numbers>
class Counted {
 public:
  // `least`: for so long it is given to those who ask in any case.
  explicit Counted(std::chrono::milliseconds least = {}) : least_(least) {}

  // By `count`, which one caller at a time runs. What it throws is thrown to that caller.
  template <class Count>
  std::shared_ptr<const Numbers> get(const Count& count) {
    const BlockingSection away;
    const std::lock_guard lock(mutex_);
    const auto begun = Clock::now();
    if (counted_ && begun < good_until_) return counted_;
    counted_ = std::make_shared<const Numbers>(count());
    const auto end = Clock::now();
    const auto took = end - begun;
    const Clock::duration rest = took < kLong ? Clock::duration{} : std::min(kRest * took, kOldest);
    good_until_ = end + std::max<Clock::duration>(rest, least_);
    return counted_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kLong{250};  // less is counted again
  static constexpr int kRest = 9;                         // times what it took
  static constexpr Clock::duration kOldest = std::chrono::seconds{15};

  const std::chrono::milliseconds least_;
  std::mutex mutex_;  // guards the rest; held while they are counted
  std::shared_ptr<const Numbers> counted_;
  Clock::time_point good_until_{};
};

}  // namespace postern
