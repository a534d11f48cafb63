#include "core/model/schedule_times.h"

#include <algorithm>
#include <iterator>
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

// Occurrences as a schedule has them: those of its spec within its bounds.
class Occurrences {
 public:
  Occurrences(const CronSpec& spec, Time anchor, const ScheduleBounds& bounds)
      : spec_(spec), anchor_(anchor), ends_at_(bounds.ends_at) {}

  std::optional<Time> after(Time time) const {
    std::optional<Time> next = spec_.next(time, anchor_);
    if (next && ends_at_ && *next >= *ends_at_) next.reset();
    return next;
  }

  // Up to `count` in after < t <= until, oldest first.
  std::vector<Time> oldest(std::size_t count, Time after, Time until) const {
    std::vector<Time> out;
    for (auto next = this->after(after); next && *next <= until && out.size() < count;
         next = this->after(*next)) {
      out.push_back(*next);
    }
    return out;
  }

  std::size_t count(Time after, Time until) const {
    if (ends_at_) until = std::min(until, *ends_at_ - Microseconds{1});
    return static_cast<std::size_t>(spec_.count(after, until, anchor_));
  }

  // The newest `count` of them, oldest first. Halves the time until no more than those are left.
  std::vector<Time> newest(std::size_t count, Time after, Time until) const {
    Time many = after, few = std::max(after, until);
    if (this->count(many, until) <= count) few = many;
    while (few - many > Seconds{1}) {
      const Time middle = many + (few - many) / 2;
      (this->count(middle, until) > count ? many : few) = middle;
    }
    return oldest(count, few, until);
  }

 private:
  const CronSpec& spec_;
  const Time anchor_;
  const std::optional<Time> ends_at_;
};

}  // namespace

DueTimes due_times(const CronSpec& spec, Time anchor, Time handled, Time now,
                   const MisfirePolicy& policy, const ScheduleBounds& bounds) {
  DueTimes due;
  if (bounds.starts_at) handled = std::max(handled, *bounds.starts_at - Microseconds{1});
  const Occurrences all(spec, anchor, bounds);

  // What is on time.
  const Time late_until = std::max(handled, now - policy.grace - Microseconds{1});
  due.next = all.after(late_until);
  for (; due.next && *due.next <= now; due.next = all.after(*due.next)) {
    due.fire.push_back(*due.next);
  }

  // What is late: the newest may still fire, and the newest of the others is asked for, too.
  const std::size_t limit = late_limit(policy);
  std::vector<Time> late = all.newest(limit + 1, handled, late_until);
  std::size_t fires = std::min(late.size(), limit);
  if (policy.kind == Misfire::last && fires > 0 &&
      (!due.fire.empty() || now - late.back() > policy.window)) {
    fires = 0;
  }
  const auto first = late.end() - static_cast<std::ptrdiff_t>(fires);
  if (first != late.begin()) {
    due.last_skipped = *std::prev(first);
    due.skipped_count = static_cast<std::int64_t>(all.count(handled, *due.last_skipped));
    due.skipped = all.oldest(DueTimes::kMaxListed, handled, *due.last_skipped);
  }
  due.fire.insert(due.fire.begin(), first, late.end());
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
