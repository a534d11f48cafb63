// Which occurrences of a schedule to fire now, after however long nobody looked. Every occurrence
// is either among those to fire or counted as skipped, exactly once.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/time/cron.h"
#include "core/time/time.h"

namespace postern {

// What becomes of occurrences that come late, because no scheduler ran at their time.
enum class Misfire {
  skip,  // they are skipped
  last,  // the newest fires, if it is late by `window` at most and none is on time
  all,   // the newest `limit` of them fire
};

constexpr int kMaxMisfires = 100;

struct MisfirePolicy {
  Misfire kind = Misfire::last;
  Seconds window{3600};
  int limit = 10;    // 1..kMaxMisfires
  Seconds grace{5};  // an occurrence that is late by this at most is on time
};

// Occurrences outside starts_at <= t < ends_at do not exist; they are not skipped either.
struct ScheduleBounds {
  std::optional<Time> starts_at;
  std::optional<Time> ends_at;
};

struct DueTimes {
  static constexpr std::size_t kMaxListed = 100;

  std::vector<Time> fire;          // oldest first
  std::vector<Time> skipped;       // oldest first: the first kMaxListed of them
  std::int64_t skipped_count = 0;  // all of them
  std::optional<Time> last_skipped;
  std::optional<Time> next;  // the first after `now`; nullopt: the schedule is over
};

// What to do at `now` about the occurrences after `handled` (the last one that was fired or
// skipped; of a new schedule its creation), up to and including `now`. `anchor` is the schedule's
// creation. When `handled` is in the future, nothing is due until the occurrence that follows it.
// It takes time for each occurrence since `handled`, about 0.2 ms for a thousand.
DueTimes due_times(const CronSpec& spec, Time anchor, Time handled, Time now,
                   const MisfirePolicy& policy, const ScheduleBounds& bounds = {});

// By how much an occurrence is delayed so that schedules with the same times do not fire at once:
// 0..jitter, always the same for the same schedule and occurrence. The occurrence itself, by which
// it is known to have fired, is not moved. REQUIRES: jitter >= 0.
Milliseconds jitter_delay(std::string_view schedule, Time occurrence, Milliseconds jitter);

}  // namespace postern
