#include "scheduler/delivery/lanes.h"

#include <algorithm>
#include <charconv>
#include <functional>

namespace postern::scheduler {
namespace {

// Whoever waits for an attempt to end is told at once; this is for the case that he is not.
constexpr Milliseconds kResultWait{1'000};
// A claim looks at no more lanes than these if they hold slots; the next one goes on from there.
constexpr std::size_t kMostLooked = 1'024;
// So many are asked again at once when something has come free.
constexpr int kMostWoken = 256;

}  // namespace

void KnownLanes::add(std::span<const LaneId> lanes) {
  for (const auto lane : lanes) lanes_[lane] = true;
}

std::vector<db::LaneSlots> KnownLanes::share(int free, const RoomOf& room_of, const Take& take,
                                             Monotonic now) {
  struct Claimant {
    Known::iterator lane;
    LaneRoom room;
    int got = 0;
  };
  std::vector<Claimant> claimants;
  // As many lanes that hold nothing as there are slots get one each, whatever the others hold.
  int without = 0;
  auto next = lanes_.upper_bound(last_favoured_);
  for (auto looks = std::min(lanes_.size(), kMostLooked); looks > 0 && without < free; --looks) {
    if (next == lanes_.end()) next = lanes_.begin();
    const auto room = room_of(next->first);
    if (room.allowance == 0) {
      next = hold(next, room, now);
      continue;
    }
    if (room.in_slots == 0) ++without;
    claimants.push_back({next++, room});
  }

  // The lane that holds the least comes first, and among equals the one whose turn it is.
  using Turn = std::pair<int, std::size_t>;
  std::vector<Turn> turns;
  turns.reserve(claimants.size());
  for (std::size_t i = 0; i < claimants.size(); ++i)
    turns.emplace_back(claimants[i].room.in_slots, i);
  std::make_heap(turns.begin(), turns.end(), std::greater<>());
  while (free > 0 && !turns.empty()) {
    std::pop_heap(turns.begin(), turns.end(), std::greater<>());
    auto& [level, index] = turns.back();
    auto& claimant = claimants[index];
    if (!take(claimant.room)) {
      turns.pop_back();
      if (claimant.got == 0) hold(claimant.lane, claimant.room, now);
      continue;
    }
    --free;
    last_favoured_ = claimant.lane->first;
    ++level;
    claimant.room.idle = false;
    if (++claimant.got < claimant.room.allowance) {
      std::push_heap(turns.begin(), turns.end(), std::greater<>());
    } else {
      turns.pop_back();
    }
  }

  std::vector<db::LaneSlots> shares;
  for (auto& each : claimants) {
    if (each.got == 0) continue;
    shares.push_back({each.lane->first, each.got});
    each.lane->second = false;
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
    hold(lane, by_claim_, now + wait, full_up);
  }
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
  if (waits) queue.emplace(how.ticket, lane);
}

void KnownLanes::unhold(HeldLanes::iterator held) {
  const auto& [lane, how] = *held;
  by_time_.erase({how.until, lane});
  if (how.ticket != 0) how.queue->erase(how.ticket);
  held_.erase(held);
}

void KnownLanes::attempt_ended(LaneId lane) {
  const auto held = held_.find(lane);
  if (held == held_.end() || held->second.queue != &by_pacing_) return;
  unhold(held);
  lanes_[lane] = true;
}

void KnownLanes::wake(Queue& queue) {
  for (int woken = 0; woken < kMostWoken && !queue.empty(); ++woken) {
    const LaneId lane = queue.begin()->second;
    unhold(held_.find(lane));
    lanes_[lane] = true;
  }
}

void KnownLanes::release(Monotonic now) {
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    const LaneId lane = by_time_.begin()->second;
    unhold(held_.find(lane));
    lanes_[lane] = true;
  }
}

std::optional<Monotonic> KnownLanes::release_at() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->first;
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
