#include "core/program/task_ids.h"

#include <array>
#include <atomic>

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
    const auto clock = wall_clock().time_since_epoch();
    const bool behind = clock.count() <= before && before - clock.count() < kHeld.count();
    const auto next = behind ? before + 1 : clock.count();
    if (last.compare_exchange_weak(before, next)) return Time{Microseconds{next}};
  }
}

}  // namespace

TaskId new_task_id() {
  std::array<std::uint8_t, 8> random;
  random_bytes(random);
  return make_task_id(strictly_later(), random);
}

}  // namespace postern
