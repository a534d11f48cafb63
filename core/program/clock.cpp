#include "core/program/clock.h"

#include <atomic>
#include <chrono>

namespace postern {
namespace {

using namespace std::chrono_literals;

// Clocks that NTP keeps agree better, and then all of this changes nothing.
constexpr Microseconds kAgree = 1s;
constexpr Microseconds kTellsNothing = 500ms;

// How far the database's clock is ahead of this machine's, in microseconds.
std::atomic<Microseconds::rep> ahead = 0;

}  // namespace

Time wall_clock() { return std::chrono::floor<Microseconds>(std::chrono::system_clock::now()); }

Time database_clock() { return wall_clock() + Microseconds{ahead.load()}; }

bool compare_clocks(Time before, Time there, Time after) {
  if (after < before || after - before > kTellsNothing) return false;
  const Microseconds found = there - (before + (after - before) / 2);
  // Kept while it is right enough, so that ids do not go back and forth.
  if (std::chrono::abs(found - Microseconds{ahead.load()}) < kAgree) return true;
  ahead = std::chrono::abs(found) < kAgree ? 0 : found.count();
  return true;
}

}  // namespace postern
