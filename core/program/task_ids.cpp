#include "core/program/task_ids.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <span>

#include "core/base/crypto.h"
#include "core/program/clock.h"

namespace postern {
namespace {

// The clock's time, or one microsecond after the previous answer, whichever is later. Thread-safe.
Time strictly_later() {
  // When the clock is behind the previous answer by more than this, it was set back: follow it.
  constexpr Microseconds kHeld = Seconds{1};
  static std::atomic<Microseconds::rep> last = 0;

  auto before = last.load();
  while (true) {
    const auto clock = database_clock().time_since_epoch();
    const bool behind = clock.count() <= before && before - clock.count() < kHeld.count();
    const auto next = behind ? before + 1 : clock.count();
    if (last.compare_exchange_weak(before, next)) return Time{Microseconds{next}};
  }
}

}  // namespace

TaskId new_task_id() {
  // Drawn for many ids at once, since a call costs the same for eight bytes as for some hundred.
  constexpr std::size_t kEach = 8;
  thread_local std::array<std::uint8_t, 64 * kEach> random;
  thread_local std::size_t used = random.size();
  if (used == random.size()) {
    random_bytes(random);
    used = 0;
  }
  const auto own = std::span(random).subspan(used).first<kEach>();
  used += kEach;
  return make_task_id(strictly_later(), own);
}

}  // namespace postern
