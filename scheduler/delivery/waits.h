// Waits that grow with each failure in succession. Pure.
#pragma once

#include <algorithm>

#include "core/time/time.h"

namespace postern::scheduler {

// `first`, doubled `times` times, `longest` at most.
inline Milliseconds doubled(Milliseconds first, int times, Milliseconds longest) {
  constexpr int kEnough = 16;  // more would be longer than any `longest`
  return std::min(first * (1 << std::min(times, kEnough)), longest);
}

// Between attempts at a receiver that fails or is silent: 1, 2, 4 ... 60 s.
inline Milliseconds cool_down(int times) {
  return doubled(Milliseconds{1'000}, times, Milliseconds{60'000});
}

}  // namespace postern::scheduler
