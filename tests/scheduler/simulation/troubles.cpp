#include "tests/scheduler/simulation/troubles.h"

#include <algorithm>
#include <chrono>

namespace postern::simulation {
namespace {

using namespace std::chrono_literals;

// A beat, a look for lost claims and a settlement come within so much, though answers be slow.
constexpr auto kEnough = 30s;

}  // namespace

void Troubles::beat(Monotonic now) {
  if (std::exchange(gone_now_, false)) gone_.back().second = now;
  if (last_beat_ && now - *last_beat_ >= patience_) silent_.emplace_back(*last_beat_, now);
  last_beat_ = now;
}

void Troubles::forgotten(Monotonic now) {
  if (!std::exchange(gone_now_, true)) gone_.emplace_back(now, Monotonic::max());
}

void Troubles::over(Monotonic now) {
  over_ = true;
  add(now, Monotonic::max());
}

bool Troubles::any(const Times& times, Monotonic from, Monotonic until) {
  return std::ranges::any_of(
      times, [&](const auto& each) { return each.second >= from && each.first <= until; });
}

bool Troubles::seemed_dead(Monotonic from, Monotonic until) const {
  return over_ || any(gone_, from, until) || any(silent_, from, until) ||
         (last_beat_ && until - *last_beat_ >= patience_);
}

bool Troubles::was_misjudged(Monotonic from, Monotonic until) const {
  return any(gone_, from, until) || (shares_name_ && seemed_dead(from, until));
}

bool Troubles::could_tell(Monotonic from, Monotonic until) const {
  auto calm = from;
  for (const auto& [begin, end] : kept_) {
    if (std::min(begin, until) - calm >= kEnough) return true;
    calm = std::max(calm, end);
    if (calm >= until) return false;
  }
  return until - calm >= kEnough;
}

bool Troubles::had_any(Monotonic since) const { return any(kept_, since, Monotonic::max()); }

}  // namespace postern::simulation
