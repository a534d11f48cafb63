#include "db/pg/backoff.h"

#include <algorithm>
#include <random>

namespace postern::db {

Milliseconds jittered(Milliseconds pause) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return Milliseconds{
      std::uniform_int_distribution<Milliseconds::rep>(pause.count() / 2, pause.count())(random)};
}

Milliseconds Backoff::next() {
  pause_ = std::clamp(pause_ * 2, first_, last_);
  return jittered(pause_);
}

}  // namespace postern::db
