// How much of a long change goes into one transaction: less where each part takes long, so that a
// step stays well within the time that a statement has, however busy the database is.
#pragma once

#include <algorithm>
#include <chrono>

#include "db/pg/error.h"

namespace postern {

class StepSize {
 public:
  using Clock = std::chrono::steady_clock;

  explicit StepSize(int most) : largest_(most), most_(most) {}

  // Calls `step` with how much it may do at most, and returns what it returns. When the database
  // was too busy for that, which undid all of it, again with less, until `until`. Throws what the
  // last call threw.
  template <class Step>
  auto run(Clock::time_point until, const Step& step) {
    for (;;) {
      const auto begun = Clock::now();
      try {
        auto done = step(most_);
        const auto took = Clock::now() - begun;
        if (took > kLong) most_ = std::max(most_ / 2, kLeast);
        if (took < kLong / 4) most_ = std::min(most_ * 2, largest_);
        return done;
      } catch (const db::PgError& error) {
        if (!error.is_busy() || most_ <= kLeast || Clock::now() >= until) throw;
        most_ = std::max(most_ / 4, kLeast);
      }
    }
  }

 private:
  // A step also looks for what it may do, which costs the same however little that is.
  static constexpr int kLeast = 25;
  static constexpr std::chrono::milliseconds kLong{600};

  const int largest_;
  int most_;
};

}  // namespace postern
