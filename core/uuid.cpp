#include "core/uuid.h"

#include <atomic>
#include <chrono>

#include "core/crypto.h"

namespace postern {
namespace {

// The clock, or a microsecond after the answer before it, whichever is later.
Time strictly_later() {
  // How far a clock may be behind and still be waited for.
  constexpr Microseconds kHeld = Seconds{1};
  static std::atomic<Microseconds::rep> last = 0;

  auto before = last.load();
  while (true) {
    const auto clock =
        std::chrono::floor<Microseconds>(std::chrono::system_clock::now().time_since_epoch());
    const bool behind = clock.count() <= before && before - clock.count() < kHeld.count();
    const auto next = behind ? before + 1 : clock.count();
    if (last.compare_exchange_weak(before, next)) return Time{Microseconds{next}};
  }
}

}  // namespace

Uuid random_uuid() {
  Uuid uuid;
  random_bytes(uuid.bytes);
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

TaskId new_task_id(int shard) {
  std::array<std::uint8_t, 8> random;
  random_bytes(random);
  return make_task_id(strictly_later(), shard, random);
}

}  // namespace postern
