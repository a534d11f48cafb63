// What a scheduler may still start at a receiver that fails: what docs promise of the breaker,
// without how it is done. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "core/time/time.h"
#include "scheduler/delivery/attempt_end.h"

namespace postern::simulation {

// Of one scheduler's lane. After ten failures in a row only probes start, 2, 4, 8 ... 60 s apart at
// least, until one of them is answered.
class BreakerRule {
 public:
  // The scheduler has heard how an attempt ended that began at `begun`. `asked`: for a pause, which
  // has rules of its own.
  void heard(scheduler::Health how, bool asked, Monotonic begun, Monotonic now) {
    use(now);
    if (how == scheduler::Health::well || asked) {
      *this = {.used_at_ = now, .well_at_ = now};
    } else if (how != scheduler::Health::unknown && begun >= well_at_ && ++failed_ == kOpens) {
      open_at_ = now;
    }
  }

  // An attempt begins. Whether it may. What was on its way when the breaker opened may.
  bool starts(Monotonic now) {
    use(now);
    if (failed_ < kOpens || now == open_at_) return true;
    const auto wait = std::min(Seconds{60}, Seconds{1 << std::min(probes_, 6)});
    const bool may = probes_ == 0 || now >= probed_at_ + wait;
    ++probes_;
    probed_at_ = now;
    return may;
  }

  static constexpr int kOpens = 10;
  static constexpr std::chrono::minutes kForgets{5};

  // A lane that was idle for so long may begin anew.
  void use(Monotonic now) {
    if (now - used_at_ > kForgets) *this = {};
    used_at_ = now;
  }

  Monotonic used_at_{};
  Monotonic well_at_{};  // when it was last answered well: failures count that began after that
  int failed_ = 0;       // in a row
  Monotonic open_at_{};
  int probes_ = 0;
  Monotonic probed_at_{};
};

}  // namespace postern::simulation
