#include "core/time/cron.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

// A time zone, a line end, and the spec.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  const auto zone = fuzz::next_part(rest, '\n');
  const auto spec = CronSpec::parse(rest, zone, "schedule");
  if (!spec) return 0;
  const Time anchor{std::chrono::sys_days{std::chrono::year{2026} / 3 / 28}};
  Time at = anchor;
  for (int i = 0; i < 3; ++i) {
    const auto next = spec->next(at, anchor);
    if (!next) return 0;
    require(*next > at, "time goes on");
    require(spec->count(at, *next, anchor) == 1, "the next occurrence is the first one");
    require(spec->count(at, *next - Microseconds(1), anchor) == 0, "there is none before it");
    at = *next;
  }
  return 0;
}
