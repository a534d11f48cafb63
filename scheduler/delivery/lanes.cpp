#include "scheduler/delivery/lanes.h"

#include <algorithm>
#include <charconv>
#include <functional>

namespace postern::scheduler {
namespace {

// Whoever waits for an attempt to end, or for a limit to change, is told at once; this is for the
// case that he is not.
constexpr Milliseconds kResultWait{1'000};
// So many lanes of a tenant that claims have held are asked again when their time has come; more of
// them take turns, some at a time, since each would find what the others have found.
constexpr int kAskedInTime = 256;
constexpr Milliseconds kTurn{1};
constexpr Milliseconds kTurnsAtOnce{50};
constexpr Milliseconds kLookAgain{1'000};
// A claim looks at no more tenants and no more lanes than these if they hold slots; the next one
// goes on from there.
constexpr std::size_t kMostLooked = 1'024;
// The turns within so many tenants are remembered.
constexpr std::size_t kMostFavoured = 10'000;
// So many are asked again at once when something has come free, and so many of a tenant.
constexpr int kMostWoken = 256;
constexpr int kMostWokenOfTenant = 128;

}  // namespace

void KnownLanes::add(std::span<const LaneId> lanes) {
  for (const auto lane : lanes) {
    const auto held = held_.find(lane);
    if (held == held_.end() || held->second.queue != &by_claim_) put_back(lane);
  }
}

void KnownLanes::put_back(LaneId lane) {
  lanes_[lane] = true;
  all_have_their_share_ = false;
}

// The first lane of each tenant that has some, from the one whose turn it is.
std::vector<LaneId> KnownLanes::next_tenants(std::size_t most) const {
  std::vector<LaneId> tenants;
  auto lane = lanes_.upper_bound(last_lane_of_tenant(last_favoured_));
  while (tenants.size() < most) {
    if (lane == lanes_.end()) lane = lanes_.begin();
    if (lane == lanes_.end()) break;
    if (!tenants.empty() && lane_tenant(lane->first) == lane_tenant(tenants.front())) break;
    tenants.push_back(lane->first);
    lane = lanes_.upper_bound(last_lane_of_tenant(lane->first));
  }
  return tenants;
}

// Its lanes that may have slots, from the one whose turn it is. As many that hold nothing as there
// are slots are enough: they get one each, whatever the others hold.
KnownLanes::Tenant KnownLanes::look_at(LaneId first_lane, int free, std::size_t most_looks,
                                       const RoomOf& room_of, Monotonic now) {
  const auto end = lanes_.upper_bound(last_lane_of_tenant(first_lane));
  const auto favoured = favoured_.find(lane_tenant(first_lane));
  auto next = lanes_.find(first_lane);
  if (favoured != favoured_.end()) next = lanes_.upper_bound(favoured->second);
  if (next == end) next = lanes_.find(first_lane);
  const LaneId begun_with = next->first;

  Tenant tenant;
  int without = 0;
  bool again = false;  // at the first lane
  for (auto looks = most_looks; looks > 0 && without < free; --looks) {
    if (next == end && !again) {
      again = true;
      next = lanes_.lower_bound(first_lane);
    }
    if (next == end || (again && next->first >= begun_with)) break;
    const auto room = room_of(next->first);
    if (room.allowance == 0) {
      next = hold(next, room, now);
      continue;
    }
    if (room.in_slots == 0) ++without;
    tenant.turns.emplace(room.in_slots, tenant.lanes.size());
    tenant.lanes.push_back({next++, room});
  }
  return tenant;
}

std::vector<db::LaneSlots> KnownLanes::share(int free, const RoomOf& room_of, const Take& take,
                                             Monotonic now) {
  if (favoured_.size() > kMostFavoured) favoured_.clear();
  std::vector<Tenant> tenants;
  Turns turns;
  const auto first_lanes = next_tenants(kMostLooked);
  int without = 0;
  all_have_their_share_ = !first_lanes.empty();
  for (const auto lane : first_lanes) {
    if (without >= free) break;
    const auto room = room_of(lane);
    if (room.tenant_allowance <= 0) continue;
    all_have_their_share_ = false;
    auto tenant = look_at(lane, std::min(free, room.tenant_allowance),
                          kMostLooked / first_lanes.size(), room_of, now);
    if (tenant.lanes.empty()) continue;
    tenant.allowance = room.tenant_allowance;
    const int held = room.of_tenant;
    if (held == 0) ++without;
    turns.emplace(held, tenants.size());
    tenants.push_back(std::move(tenant));
  }

  while (free > 0 && !turns.empty()) {
    auto [held_by_tenant, of] = turns.top();
    turns.pop();
    auto& tenant = tenants[of];
    const auto [held_by_lane, index] = tenant.turns.top();
    tenant.turns.pop();
    auto& claimant = tenant.lanes[index];
    if (take(claimant.room)) {
      --free;
      ++held_by_tenant;
      --tenant.allowance;
      last_favoured_ = claimant.lane->first;
      favoured_[lane_tenant(last_favoured_)] = last_favoured_;
      claimant.room.idle = false;
      if (++claimant.got < claimant.room.allowance) tenant.turns.emplace(held_by_lane + 1, index);
    } else if (claimant.got == 0) {
      hold(claimant.lane, claimant.room, now);
    }
    if (tenant.allowance > 0 && !tenant.turns.empty()) turns.emplace(held_by_tenant, of);
  }

  std::vector<db::LaneSlots> shares;
  for (auto& tenant : tenants) {
    for (auto& each : tenant.lanes) {
      if (each.got == 0) continue;
      shares.push_back({each.lane->first, each.got});
      each.lane->second = false;
    }
  }
  return shares;
}

void KnownLanes::claimed(std::span<const db::LaneSlots> asked, std::span<const db::Claimed> tasks) {
  boost::unordered_flat_map<LaneId, int> came;
  for (const auto& task : tasks) ++came[task.lane];
  for (const auto& [lane, free] : asked) {
    const auto known = lanes_.find(lane);
    if (known != lanes_.end() && !known->second && came[lane] < free) lanes_.erase(known);
  }
}

void KnownLanes::hold(std::span<const db::HeldLane> lanes, Monotonic now) {
  for (const auto& [lane, wait, full_up] : lanes) {
    lanes_.erase(lane);
    const auto until = now + std::min(wait, kResultWait);
    hold(lane, by_claim_, turn_of(lane_tenant(lane), until), full_up);
    ++held_of_[lane_tenant(lane)].count;
  }
}

// When a lane that is to be asked again at `until` is asked, as one of its tenant's.
Monotonic KnownLanes::turn_of(LaneTenant tenant, Monotonic until) {
  auto& held = held_of_[tenant];
  if (held.count < kAskedInTime) return until;
  held.last = std::max(held.last + kTurn, until);
  const auto part = held.last.time_since_epoch() % kTurnsAtOnce;
  return held.last + (kTurnsAtOnce - part);
}

KnownLanes::Known::iterator KnownLanes::hold(Known::iterator lane, const LaneRoom& room,
                                             Monotonic now) {
  hold(lane->first, by_pacing_, room.retry_at.value_or(now + kResultWait), !room.retry_at);
  return lanes_.erase(lane);
}

void KnownLanes::hold(LaneId lane, Queue& queue, Monotonic until, bool waits) {
  if (const auto held = held_.find(lane); held != held_.end()) unhold(held);
  const Held how{until, &queue, waits ? ++last_ticket_ : 0};
  held_.emplace(lane, how);
  by_time_.emplace(until, lane);
  if (waits) queue[lane_tenant(lane)].emplace(how.ticket, lane);
}

void KnownLanes::unhold(HeldLanes::iterator held) {
  const auto& [lane, how] = *held;
  by_time_.erase({how.until, lane});
  if (how.ticket != 0) {
    const auto of_tenant = how.queue->find(lane_tenant(lane));
    of_tenant->second.erase(how.ticket);
    if (of_tenant->second.empty()) how.queue->erase(of_tenant);
  }
  if (how.queue == &by_claim_) {
    const auto of_tenant = held_of_.find(lane_tenant(lane));
    if (--of_tenant->second.count == 0) held_of_.erase(of_tenant);
  }
  held_.erase(held);
}

void KnownLanes::attempt_ended(LaneId lane) {
  all_have_their_share_ = false;
  const auto held = held_.find(lane);
  if (held == held_.end() || held->second.queue != &by_pacing_) return;
  unhold(held);
  put_back(lane);
}

void KnownLanes::wake(Queue& queue) {
  int woken = 0;
  for (auto tenants = queue.size(); tenants > 0 && woken < kMostWoken; --tenants) {
    auto next = queue.upper_bound(last_woken_);
    if (next == queue.end()) next = queue.begin();
    last_woken_ = next->first;
    std::vector<LaneId> lanes;
    for (const auto& [ticket, lane] : next->second) {
      if (lanes.size() == kMostWokenOfTenant || woken == kMostWoken) break;
      lanes.push_back(lane);
      ++woken;
    }
    for (const LaneId lane : lanes) {
      unhold(held_.find(lane));
      put_back(lane);
    }
  }
}

void KnownLanes::release_by_claim(Monotonic now) {
  limits_changed_ = false;
  look_again_at_ = now + kLookAgain;
  std::vector<LaneId> lanes;
  for (const auto& [lane, how] : held_) {
    if (how.queue == &by_claim_) lanes.push_back(lane);
  }
  for (const LaneId lane : lanes) {
    unhold(held_.find(lane));
    put_back(lane);
  }
}

void KnownLanes::release(Monotonic now) {
  if (limits_changed_ && now >= look_again_at_) release_by_claim(now);
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    const LaneId lane = by_time_.begin()->second;
    unhold(held_.find(lane));
    put_back(lane);
  }
}

std::optional<Monotonic> KnownLanes::release_at() const {
  if (by_time_.empty()) return std::nullopt;
  const auto first = by_time_.begin()->first;
  return limits_changed_ ? std::min(first, look_again_at_) : first;
}

std::vector<LaneId> parse_lanes(std::string_view payload) {
  std::vector<LaneId> lanes;
  const char* at = payload.data();
  const char* const end = at + payload.size();
  while (at != end) {
    LaneId lane = 0;
    const auto read = std::from_chars(at, end, lane);
    if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ',')) return {};
    lanes.push_back(lane);
    at = read.ptr == end ? end : read.ptr + 1;
  }
  return lanes;
}

}  // namespace postern::scheduler
