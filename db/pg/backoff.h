// Pauses between attempts to connect.
#pragma once

#include "core/time/time.h"

namespace postern::db {

// `pause`, shortened by chance by up to a half: those who lost the same server do not come back at
// the same moment.
Milliseconds jittered(Milliseconds pause);

// Each pause is twice as long as the one before, from `first` to `last`, and jittered.
class Backoff {
 public:
  Backoff(Milliseconds first, Milliseconds last) : first_(first), last_(last) {}
  Milliseconds next();
  void reset() { pause_ = {}; }

 private:
  Milliseconds first_;
  Milliseconds last_;
  Milliseconds pause_{0};
};

// Of those who wait for a database that is away: after a failover they go on within the last pause.
constexpr Milliseconds kFirstPause{100};
constexpr Milliseconds kLastPause{1'000};

}  // namespace postern::db
