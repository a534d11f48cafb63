// Whether a receiver owes an answer for longer than it usually takes. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "core/time/time.h"

namespace postern::scheduler {

// Times must not go backwards. It counts from the first attempt that began after the last sign of
// life, so neither a lane that had nothing to do nor one whose quick attempts are answered while a
// slow one lasts is silent.
class Silence {
 public:
  using Answer = std::chrono::duration<double, std::milli>;

  // Whether it has ever answered, and how long that takes, smoothed.
  bool met() const { return usual_ >= Answer{0}; }
  Answer usual() const { return usual_; }

  // `blocked`: no attempt can begin that would show it, so the time since the last answer counts.
  bool silent(bool blocked, Monotonic now) const {
    return (owes_ || blocked) && now >= silent_at();
  }
  // When it is silent if it goes on owing.
  Monotonic silent_at() const { return since_ + patience(); }
  // When a silent one may be asked once more: at once, then ever more seldom, 200 times within the
  // first four seconds, 500 times within 20 s, 1,000 times within four minutes.
  Monotonic next_start() const {
    if (asked_ == 0) return silent_at();
    return last_start_ + std::max<Monotonic::duration>(kSpacing, (last_start_ - since_) / kAsks);
  }
  // How many attempts have begun in this silence.
  int asked() const { return asked_; }

  void started(bool silent, Monotonic now) {
    if (silent) ++asked_;
    if (!owes_) since_ = now;
    owes_ = true;
    last_start_ = now;
  }
  void answered(Milliseconds took, Monotonic now) {
    usual_ = met() ? usual_ + (Answer(took) - usual_) / kSmoothing : Answer(took);
    spoke(now);
  }
  // It gave a sign of life, or nothing can be said of it.
  void spoke(Monotonic now) {
    owes_ = false;
    asked_ = 0;
    since_ = now;
  }

 private:
  static constexpr int kSmoothing = 8;
  static constexpr int kUsualTimes = 4;
  static constexpr Milliseconds kShortest{100};
  static constexpr Milliseconds kSpacing{20};
  static constexpr int kAsks = 200;
  static constexpr Milliseconds kUnmet{250};  // a first answer may want names, TLS, a cold start

  Monotonic::duration patience() const {
    if (!met()) return kUnmet;
    const auto times = std::chrono::duration_cast<Monotonic::duration>(usual_ * kUsualTimes);
    return std::max<Monotonic::duration>(kShortest, times);
  }

  Answer usual_{-1};
  bool owes_ = false;  // an attempt has begun since the last sign of life
  int asked_ = 0;
  Monotonic since_{};  // the start of the first such attempt, else the last sign of life
  Monotonic last_start_{};
};

}  // namespace postern::scheduler
