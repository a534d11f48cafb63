#include "scheduler/delivery/pacing.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// A failure that takes longer holds its slot long enough to matter.
constexpr Milliseconds kSlow = 1s;
// The breaker opens after so many failures in a row ...
constexpr int kFailuresInRow = 10;
// ... or when of so many attempts within a minute 70 % have failed.
constexpr int kEnoughAttempts = 10;
constexpr int kFailedPercent = 70;
// Cool-downs are 1, 2, 4 ... 60 s.
constexpr Milliseconds kFirstCoolDown = 1s;
constexpr Milliseconds kLongestCoolDown = 60s;
// A Retry-After is believed for so long, and twice as long each time that the receiver repeats it:
// it may have spoken of one task, and the lane has others.
constexpr Milliseconds kFirstBelief = 60s;
constexpr Milliseconds kLongestBelief = 24h;
// A lane that was closed for so long begins with the first wait again.
constexpr auto kSteady = 60s;
// The limit doubles at least to here after a stop, however low the time-outs had brought it.
constexpr int kDoublesTo = 16;
// Probes of receivers that hang may hold this part of the slots, however many those are.
constexpr int kProbesPart = 4;

constexpr Seconds kForgetClosed = 5min;
constexpr Seconds kForgetStopped = 24h;
constexpr std::size_t kMostRemembered = 10'000;

Milliseconds doubled(Milliseconds first, int times, Milliseconds longest) {
  constexpr int kEnough = 16;  // more would be longer than any `longest`
  return std::min(first * (1 << std::min(times, kEnough)), longest);
}

}  // namespace

std::string_view name(BreakerState state) {
  switch (state) {
    case BreakerState::closed: return "closed";
    case BreakerState::throttled: return "throttled";
    case BreakerState::open: return "open";
    case BreakerState::half_open: return "half_open";
  }
  throw std::logic_error("name: not a BreakerState");
}

Health health(const AttemptEnd& end) {
  switch (end.kind) {
    case HttpResult::Kind::answered:
      if (end.status == 429) return Health::overloaded;
      // A gateway, or Cloudflare (520 to 524), answers for a receiver that does not.
      if ((end.status >= 502 && end.status <= 504) || (end.status >= 520 && end.status <= 524))
        break;
      return Health::well;
    case HttpResult::Kind::egress_denied: return Health::unknown;
    case HttpResult::Kind::timed_out: return Health::overloaded;
    case HttpResult::Kind::name_not_resolved:
    case HttpResult::Kind::not_connected:
    case HttpResult::Kind::broken: break;
  }
  return end.duration >= kSlow ? Health::overloaded : Health::failing;
}

Pacing::Pacing(int slots)
    : slots_(std::max(1, slots)), most_probes_(std::max(1, slots_ / kProbesPart)) {
  in_flight_.reserve(static_cast<std::size_t>(slots_));
}

int Pacing::in_flight(LaneId lane) const {
  const auto found = in_flight_.find(lane);
  return found == in_flight_.end() ? 0 : found->second;
}

int Pacing::allowance(LaneId id, Monotonic now) const {
  const auto found = troubled_.find(id);
  if (found == troubled_.end()) return std::max(0, slots_ - in_flight(id));
  const Lane& lane = found->second;
  if (lane.state != BreakerState::closed) return may_probe(lane, now) ? 1 : 0;
  // What hangs since before the stop must not keep a receiver that is back from its work.
  return std::max(0, std::min(lane.limit - (in_flight(id) - lane.early), slots_ - in_flight(id)));
}

bool Pacing::may_probe(const Lane& lane, Monotonic now) const {
  return lane.state != BreakerState::half_open && now >= lane.until && probes_ < most_probes_;
}

std::optional<Monotonic> Pacing::retry_at(LaneId id, Monotonic now) const {
  const auto found = troubled_.find(id);
  if (found == troubled_.end() || found->second.until <= now) return std::nullopt;
  return found->second.until;
}

void Pacing::started(LaneId id, AttemptNumber attempt, Monotonic now) {
  next_ = attempt + 1;
  ++in_flight_[id];
  const auto found = troubled_.find(id);
  if (found == troubled_.end()) return;
  Lane& lane = found->second;
  if (lane.state == BreakerState::closed) return;
  if (may_probe(lane, now)) {
    lane.state = BreakerState::half_open;
    lane.probe = attempt;
    ++probes_;
  } else {
    ++lane.early;
    lane.stopped_before = next_;
  }
}

void Pacing::finished(LaneId lane, AttemptNumber attempt, const AttemptEnd& end, Monotonic now) {
  ended(lane, attempt, health(end), end.retry_after, now);
}

void Pacing::given_back(LaneId lane, AttemptNumber attempt, Monotonic now) {
  ended(lane, attempt, Health::unknown, {}, now);
}

void Pacing::ended(LaneId id, AttemptNumber attempt, Health health, Milliseconds retry_after,
                   Monotonic now) {
  const auto counted = in_flight_.find(id);
  if (counted == in_flight_.end()) return;
  const int in_flight = counted->second--;
  if (in_flight == 1) in_flight_.erase(counted);

  const bool failed = health == Health::failing || health == Health::overloaded;
  const auto found = troubled_.find(id);
  if (found == troubled_.end() && !failed) return;
  Lane& lane = found == troubled_.end() ? trouble(id) : found->second;
  lane.used_at = now;

  if (lane.state == BreakerState::half_open && attempt == lane.probe) {
    return probe_ended(lane, health, retry_after, now);
  }
  // Begun before the stop, it says nothing of how the receiver is now.
  if (attempt < lane.stopped_before) {
    --lane.early;
    return;
  }
  if (health == Health::well) return succeeded(id, lane, now);
  if (!failed) return;

  // One bad moment ends many attempts: only one that began after the last halving halves again.
  if (health == Health::overloaded && attempt >= lane.halved_before) {
    halve(lane, in_flight - lane.early);
  }
  lane.window.add(true, now);
  ++lane.failed_in_row;
  const auto [attempts, failures] = lane.window.counts(now);
  if (retry_after > 0ms || lane.failed_in_row >= kFailuresInRow ||
      (attempts >= kEnoughAttempts && failures * 100 >= attempts * kFailedPercent)) {
    stop(lane, in_flight - 1, retry_after, now);
  }
}

void Pacing::probe_ended(Lane& lane, Health health, Milliseconds retry_after, Monotonic now) {
  --probes_;
  switch (health) {
    case Health::well:
      lane.state = BreakerState::closed;
      lane.closed_at = now;
      lane.failed_in_row = 0;
      lane.window.clear();
      grow(lane);
      return;
    case Health::failing:
    case Health::overloaded: return stop(lane, lane.early, retry_after, now);
    // The cool-down is over, so the next one may start at once.
    case Health::unknown: lane.state = BreakerState::open; return;
  }
}

void Pacing::succeeded(LaneId id, Lane& lane, Monotonic now) {
  lane.failed_in_row = 0;
  lane.window.add(false, now);
  grow(lane);
  if (lane.limit == slots_ && lane.early == 0 && lane.window.counts(now).failures == 0) {
    troubled_.erase(id);
  }
}

void Pacing::grow(Lane& lane) const {
  if (lane.limit >= lane.linear_from) {
    if (++lane.grown < lane.limit) return;
    lane.grown = 0;
  }
  lane.limit = std::min(lane.limit + 1, slots_);
}

// From what is in flight rather than from the limit, which may never have been reached: half of
// 256 would not hold back a lane that hangs with 20.
void Pacing::halve(Lane& lane, int in_flight) const {
  lane.limit = std::max(1, std::min(lane.limit, in_flight) / 2);
  lane.linear_from = lane.limit;
  lane.grown = 0;
  lane.halved_before = next_;
}

// `in_flight` without the attempt that is the reason.
void Pacing::stop(Lane& lane, int in_flight, Milliseconds retry_after, Monotonic now) const {
  if (lane.state == BreakerState::closed) {
    if (now - lane.closed_at > kSteady) lane.stops = 0;
    lane.linear_from = std::max(kDoublesTo, lane.limit / 2);
  }
  const bool asked = retry_after > 0ms;
  lane.state = asked ? BreakerState::throttled : BreakerState::open;
  lane.until =
      now + (asked ? std::min(retry_after, doubled(kFirstBelief, lane.stops, kLongestBelief))
                   : doubled(kFirstCoolDown, lane.stops, kLongestCoolDown));
  ++lane.stops;
  lane.limit = 1;
  lane.grown = 0;
  lane.early = in_flight;
  lane.stopped_before = next_;
}

BreakerState Pacing::state(LaneId lane) const {
  const auto found = troubled_.find(lane);
  return found == troubled_.end() ? BreakerState::closed : found->second.state;
}

int Pacing::limit(LaneId lane) const {
  const auto found = troubled_.find(lane);
  return found == troubled_.end() ? slots_ : found->second.limit;
}

std::vector<Pacing::Stopped> Pacing::stopped(std::size_t most) const {
  std::vector<Stopped> stopped;
  for (const auto& [id, lane] : troubled_) {
    if (stopped.size() == most) break;
    if (lane.state != BreakerState::closed) stopped.push_back({id, lane.state, lane.until});
  }
  return stopped;
}

Pacing::Lane& Pacing::trouble(LaneId id) {
  if (troubled_.size() >= kMostRemembered) make_room();
  Lane& lane = troubled_[id];
  lane.limit = lane.linear_from = slots_;
  return lane;
}

// A tenth at a time, so that it is seldom.
void Pacing::make_room() {
  std::vector<std::pair<std::pair<bool, Monotonic>, LaneId>> idle;
  for (const auto& [id, lane] : troubled_) {
    if (in_flight(id) > 0) continue;
    idle.push_back({{lane.state != BreakerState::closed, lane.used_at}, id});
  }
  const auto enough =
      idle.begin() + static_cast<std::ptrdiff_t>(std::min(idle.size(), kMostRemembered / 10));
  std::nth_element(idle.begin(), enough, idle.end());
  std::for_each(idle.begin(), enough, [this](const auto& each) { troubled_.erase(each.second); });
}

void Pacing::forget_idle(Monotonic now) {
  boost::unordered::erase_if(troubled_, [&](const auto& each) {
    const auto& [id, lane] = each;
    const auto after = lane.state == BreakerState::closed ? kForgetClosed : kForgetStopped;
    return in_flight(id) == 0 && now - lane.used_at > after;
  });
}

}  // namespace postern::scheduler
