// Decides which occurrences of a schedule fire now, however long no scheduler has run. Every
// occurrence either fires or is counted as skipped, exactly once.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/time/cron.h"
#include "core/time/time.h"

namespace postern {

// What happens to occurrences that are late because no scheduler ran at their time.
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

// Occurrences outside starts_at <= t < ends_at do not exist; they are not counted as skipped.
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

// Sorts the occurrences after `handled`, up to and including `now`, into those to fire and those to
// skip. `handled` is the last occurrence that was fired or skipped, or the creation of a new
// schedule; if it is in the future, nothing is due before the occurrence that follows it. `anchor`
// is the schedule's creation. Cost: by what is listed and may fire, not by what was missed.
DueTimes due_times(const CronSpec& spec, Time anchor, Time handled, Time now,
                   const MisfirePolicy& policy, const ScheduleBounds& bounds = {});

// The delay of an occurrence's task, so that schedules with the same times do not fire all at once:
// 0..jitter, deterministic for a schedule and occurrence. The nominal time, by which the occurrence
// is recorded, does not change. REQUIRES: jitter >= 0.
Milliseconds jitter_delay(std::string_view schedule, Time occurrence, Milliseconds jitter);

}  // namespace postern
