#include "core/model/schedule_times.h"

#include <algorithm>
#include <deque>
#include <string>

#include <fmt/format.h>

#include "core/base/crypto.h"

namespace postern {
namespace {

// The number of late occurrences, counted from the newest, that the policy may fire.
std::size_t late_limit(const MisfirePolicy& policy) {
  switch (policy.kind) {
    case Misfire::skip: return 0;
    case Misfire::last: return 1;
    case Misfire::all: return static_cast<std::size_t>(std::clamp(policy.limit, 0, kMaxMisfires));
  }
  return 0;
}

void skip(DueTimes& due, Time occurrence) {
  if (due.skipped.size() < DueTimes::kMaxListed) due.skipped.push_back(occurrence);
  ++due.skipped_count;
  due.last_skipped = occurrence;
}

}  // namespace

DueTimes due_times(const CronSpec& spec, Time anchor, Time handled, Time now,
                   const MisfirePolicy& policy, const ScheduleBounds& bounds) {
  DueTimes due;
  if (bounds.starts_at) handled = std::max(handled, *bounds.starts_at - Microseconds{1});
  const auto following = [&](Time after) {
    std::optional<Time> next = spec.next(after, anchor);
    if (next && bounds.ends_at && *next >= *bounds.ends_at) next.reset();
    return next;
  };

  const std::size_t limit = late_limit(policy);
  std::deque<Time> late;  // the newest late ones, which may still fire
  due.next = following(handled);
  while (due.next && *due.next <= now) {
    const Time occurrence = *due.next;
    if (now - occurrence <= policy.grace) {
      due.fire.push_back(occurrence);
    } else {
      late.push_back(occurrence);
      if (late.size() > limit) {
        skip(due, late.front());
        late.pop_front();
      }
    }
    due.next = following(occurrence);
  }

  if (policy.kind == Misfire::last && !late.empty() &&
      (!due.fire.empty() || now - late.back() > policy.window)) {
    skip(due, late.back());
    late.clear();
  }
  due.fire.insert(due.fire.begin(), late.begin(), late.end());
  return due;
}

Milliseconds jitter_delay(std::string_view schedule, Time occurrence, Milliseconds jitter) {
  const Sha256 hash = sha256(fmt::format("{} {}", occurrence.time_since_epoch().count(), schedule));
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | hash[i];
  const auto choices = static_cast<std::uint64_t>(jitter.count()) + 1;
  return Milliseconds{static_cast<std::int64_t>(number % choices)};
}

}  // namespace postern
