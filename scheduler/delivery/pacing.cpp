#include "scheduler/delivery/pacing.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// A lane never met may have so many attempts in flight before the first is answered.
constexpr int kFirstLimit = 4;
// The breaker opens after so many failures in a row ...
constexpr int kFailuresInRow = 10;
// ... or when of so many attempts within a minute 70 % have failed.
constexpr int kEnoughAttempts = 10;
constexpr int kFailedPercent = 70;
// A Retry-After is believed for so long, and twice as long each time that the receiver repeats it:
// it may have spoken of one task, and the lane has others.
constexpr Milliseconds kFirstBelief = 60s;
constexpr Milliseconds kLongestBelief = 24h;
// A lane that was closed for so long begins with the first wait again.
constexpr auto kSteady = 60s;
// The limit doubles at least to here after a stop, however low the time-outs had brought it, and by
// so much above what hangs when a receiver speaks again.
constexpr int kDoublesTo = 16;
// A lane with so large a part of the slots has its next attempts in places.
constexpr int kSpillPart = 2;

constexpr Seconds kForgetClosed = 5min;
constexpr Seconds kForgetStopped = 24h;
constexpr std::size_t kMostRemembered = 10'000;

// `first`, doubled `times` times, `longest` at most.
Milliseconds doubled(Milliseconds first, int times, Milliseconds longest) {
  constexpr int kEnough = 16;  // more would be longer than any `longest`
  return std::min(first * (1 << std::min(times, kEnough)), longest);
}

// Between attempts at a receiver that fails: 1, 2, 4 ... 60 s.
Milliseconds cool_down(int times) {
  return doubled(Milliseconds{1'000}, times, Milliseconds{60'000});
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

Pacing::Pacing(int slots, int places)
    : parking_(slots, places),
      share_(parking_.lane_share()),
      unmet_([&] {
        Lane lane;
        lane.limit = std::min(kFirstLimit, share_);
        lane.linear_from = share_;
        return lane;
      }()),
      make_room_at_(kMostRemembered) {}

int Pacing::in_flight(LaneId lane) const {
  const auto found = lanes_.find(lane);
  return found == lanes_.end() ? 0 : found->second.in_flight;
}

LaneRoom Pacing::room(LaneId id, Monotonic now) const {
  const auto found = lanes_.find(id);
  const Lane& lane = found == lanes_.end() ? unmet_ : found->second;
  const LaneTenant tenant = lane_tenant(id);
  LaneRoom room{lane.in_slots,
                parking_.tenant_slots(tenant),
                0,
                parking_.tenant_room(tenant),
                lane.in_flight == 0,
                pace(lane, now),
                tenant,
                {}};
  const int most = wanted(lane, now);
  if (most > 0) {
    room.allowance = std::max(0, std::min(most, bound(lane, tenant, room.pace)));
  } else {
    room.retry_at = wanted_at(lane, now);
  }
  return room;
}

Pace Pacing::pace(const Lane& lane, Monotonic now) const {
  if (lane.state != BreakerState::closed) return Pace::probe;
  if (!lane.silence.met() || lane.silent(now)) return Pace::doubtful;
  return lane.silence.usual() < kParkAfter ? Pace::quick : Pace::slow;
}

// What the lane's own state allows.
int Pacing::wanted(const Lane& lane, Monotonic now) const {
  if (lane.state != BreakerState::closed) {
    return lane.state != BreakerState::half_open && now >= lane.until ? 1 : 0;
  }
  if (lane.silent(now)) return now >= lane.silence.next_start() ? 1 : 0;
  // What hangs since before the stop must not keep a receiver that is back from its work.
  return std::max(0, lane.limit - (lane.in_flight - lane.early));
}

// When that changes without an event. REQUIRES: it allows nothing.
std::optional<Monotonic> Pacing::wanted_at(const Lane& lane, Monotonic now) const {
  if (lane.state == BreakerState::half_open) return std::nullopt;
  if (lane.state != BreakerState::closed) return lane.until;
  return lane.silent(now) ? lane.silence.next_start() : lane.silence.silent_at();
}

// What the others leave. No lane may have more attempts that are not quick than there are places
// left, so those that are there first leave some for those that come.
int Pacing::bound(const Lane& lane, LaneTenant tenant, Pace pace) const {
  const bool first = lane.in_flight == 0;
  const int share = share_ - lane.in_flight;
  const int of_tenant = parking_.tenant_places(tenant, first) - lane.in_flight;
  const int places = parking_.free_places(first) - lane.in_flight;
  switch (pace) {
    case Pace::quick:
      return std::min({share, parking_.slots() + parking_.tenant_places(tenant, true),
                       std::max(parking_.slots() - lane.in_flight, places)});
    case Pace::slow: return std::min({share, of_tenant, places});
    case Pace::doubtful:
    case Pace::probe:
      return std::min({share, of_tenant, std::max(places, first ? 1 : 0),
                       parking_.free_slots(pace, first),
                       parking_.tenant_room(tenant, pace, first)});
  }
  throw std::logic_error("bound: not a Pace");
}

// Whether one more is within the shares. What was claimed need not leave as much for others as what
// is to be claimed.
bool Pacing::fits(const Lane& lane, LaneTenant tenant, Pace pace) const {
  if (lane.in_flight >= share_) return false;
  const bool first = lane.in_flight == 0;
  const int of_tenant = parking_.tenant_places(tenant, true);
  switch (pace) {
    case Pace::quick: return parking_.slots() + of_tenant > 0 && parking_.tenant_room(tenant) > 0;
    case Pace::slow: return of_tenant > 0 && parking_.free_places(true) > 0;
    case Pace::doubtful:
    case Pace::probe:
      return of_tenant > 0 && (first || parking_.free_places(true) > 0) &&
             parking_.free_slots(pace, true) > 0 && parking_.tenant_room(tenant) > 0 &&
             parking_.tenant_room(tenant, pace, true) > 0;
  }
  throw std::logic_error("fits: not a Pace");
}

bool Pacing::may_probe(const Lane& lane, Monotonic now) const {
  return lane.state != BreakerState::half_open && now >= lane.until &&
         parking_.free_slots(Pace::probe, false) > 0;
}

bool Pacing::may_start(LaneId id, Monotonic now) {
  const Lane& lane = meet(id, now);
  return wanted(lane, now) > 0 && fits(lane, lane_tenant(id), pace(lane, now));
}

void Pacing::started(LaneId id, AttemptNumber attempt, Monotonic now) {
  next_ = attempt + 1;
  Lane& lane = meet(id, now);
  Pace attempts_pace = pace(lane, now);
  if (lane.state == BreakerState::closed) {
    const bool silent = lane.silent(now);
    if (silent && lane.silence.asked() == 0) lane.asked_from = attempt;
    lane.silence.started(silent, now);
    const bool spills = lane.in_slots >= std::max(1, parking_.slots() / kSpillPart);
    if (attempts_pace == Pace::quick && spills && parking_.free_places(true) > 0) {
      attempts_pace = Pace::slow;
    }
  } else if (may_probe(lane, now)) {
    lane.state = BreakerState::half_open;
    lane.probe = attempt;
  } else {
    attempts_pace = Pace::doubtful;
    ++lane.early;
    lane.stopped_before = next_;
  }
  ++lane.in_flight;
  if (parking_.start(attempt, id, attempts_pace, now)) ++lane.in_slots;
}

bool Pacing::turn(Monotonic now) {
  while (const auto parked = parking_.park_next(now)) {
    freed_ = true;
    if (parked->held_slot) --lanes_.find(parked->lane)->second.in_slots;
  }
  return std::exchange(freed_, false);
}

void Pacing::given_back(LaneId lane, AttemptNumber attempt, Monotonic now) {
  finished(lane, attempt, {HttpResult::Kind::egress_denied, 0, 0ms, {}}, now);
}

void Pacing::finished(LaneId id, AttemptNumber attempt, const AttemptEnd& end, Monotonic now) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || found->second.in_flight == 0) return;
  Lane& lane = found->second;
  const auto [held_slot, quick] = parking_.end(attempt);
  if (held_slot) --lane.in_slots;
  if (!quick) freed_ = true;
  --lane.in_flight;
  lane.used_at = now;
  const Health how = health(end);
  judge(lane, attempt, how, end.retry_after, now);
  if (end.kind == HttpResult::Kind::answered) {
    lane.silence.answered(end.duration, now);
  } else if (how == Health::failing || (how == Health::unknown && lane.in_flight == 0)) {
    lane.silence.spoke(now);
  }
}

void Pacing::judge(Lane& lane, AttemptNumber attempt, Health health, Milliseconds retry_after,
                   Monotonic now) {
  if (lane.state == BreakerState::half_open && attempt == lane.probe) {
    return probe_ended(lane, health, retry_after, now);
  }
  // Begun before the stop, it says nothing of how the receiver is now.
  if (attempt < lane.stopped_before) {
    --lane.early;
    return;
  }
  if (health == Health::well) return succeeded(lane, attempt, now);
  if (health == Health::unknown) return;

  // One bad moment ends many attempts: only one that began after the last halving halves again.
  if (health == Health::overloaded && attempt >= lane.halved_before) {
    halve(lane, lane.in_flight + 1 - lane.early);
  }
  lane.failed = true;
  lane.window.add(true, now);
  ++lane.failed_in_row;
  const auto [attempts, failures] = lane.window.counts(now);
  if (retry_after > 0ms || lane.failed_in_row >= kFailuresInRow ||
      (attempts >= kEnoughAttempts && failures * 100 >= attempts * kFailedPercent)) {
    stop(lane, lane.in_flight, retry_after, now);
  }
}

void Pacing::probe_ended(Lane& lane, Health health, Milliseconds retry_after, Monotonic now) {
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

void Pacing::succeeded(Lane& lane, AttemptNumber attempt, Monotonic now) {
  lane.failed_in_row = 0;
  if (lane.failed) {
    lane.window.add(false, now);
    lane.failed = lane.window.counts(now).failures > 0;
    if (!lane.failed) lane.window.clear();
  }
  grow(lane);
  // It speaks again: what hangs from before must not keep it from its work.
  if (lane.silence.asked() > 0 && attempt >= lane.asked_from) {
    const int hanging = lane.in_flight - lane.early;
    lane.limit = std::min(share_, std::max(lane.limit, hanging + 1));
    lane.linear_from = std::min(share_, std::max(lane.linear_from, hanging + kDoublesTo));
  }
}

void Pacing::grow(Lane& lane) const {
  if (lane.limit >= lane.linear_from) {
    if (++lane.grown < lane.limit) return;
    lane.grown = 0;
  }
  lane.limit = std::min(lane.limit + 1, share_);
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
    lane.linear_from = std::max(kDoublesTo, std::max(lane.limit, lane.linear_from) / 2);
  }
  const bool asked = retry_after > 0ms;
  lane.state = asked ? BreakerState::throttled : BreakerState::open;
  lane.until =
      now + (asked ? std::min(retry_after, doubled(kFirstBelief, lane.stops, kLongestBelief))
                   : cool_down(lane.stops));
  ++lane.stops;
  lane.limit = 1;
  lane.grown = 0;
  lane.early = in_flight;
  lane.stopped_before = next_;
}

BreakerState Pacing::state(LaneId lane) const {
  const auto found = lanes_.find(lane);
  return found == lanes_.end() ? BreakerState::closed : found->second.state;
}

int Pacing::limit(LaneId lane) const {
  const auto found = lanes_.find(lane);
  return (found == lanes_.end() ? unmet_ : found->second).limit;
}

std::vector<Pacing::Stopped> Pacing::stopped(std::size_t most) const {
  std::vector<Stopped> stopped;
  for (const auto& [id, lane] : lanes_) {
    if (stopped.size() == most) break;
    if (lane.state != BreakerState::closed) stopped.push_back({id, lane.state, lane.until});
  }
  return stopped;
}

Pacing::Lane& Pacing::meet(LaneId id, Monotonic now) {
  if (lanes_.size() >= make_room_at_ && !lanes_.contains(id)) make_room();
  const auto [found, first] = lanes_.try_emplace(id, unmet_);
  Lane& lane = found->second;
  lane.used_at = now;
  return lane;
}

// A tenth at a time, so that it is seldom.
void Pacing::make_room() {
  std::vector<std::pair<std::pair<bool, Monotonic>, LaneId>> idle;
  for (const auto& [id, lane] : lanes_) {
    if (lane.in_flight > 0) continue;
    idle.push_back({{lane.state != BreakerState::closed, lane.used_at}, id});
  }
  const auto enough =
      idle.begin() + static_cast<std::ptrdiff_t>(std::min(idle.size(), kMostRemembered / 10));
  std::nth_element(idle.begin(), enough, idle.end());
  std::for_each(idle.begin(), enough, [this](const auto& each) { lanes_.erase(each.second); });
  make_room_at_ = std::max(kMostRemembered, lanes_.size() + kMostRemembered / 10);
}

void Pacing::forget_idle(Monotonic now) {
  boost::unordered::erase_if(lanes_, [&](const auto& each) {
    const Lane& lane = each.second;
    const auto after = lane.state == BreakerState::closed ? kForgetClosed : kForgetStopped;
    return lane.in_flight == 0 && now - lane.used_at > after;
  });
}

}  // namespace postern::scheduler
