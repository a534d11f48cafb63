#include "scheduler/delivery/lanes.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace postern::scheduler {
namespace {

// Whoever waits for an attempt to end is told at once; this is for the case that he is not.
constexpr Milliseconds kResultWait{1'000};

}  // namespace

void KnownLanes::add(std::span<const std::int64_t> lanes) {
  for (const auto lane : lanes) lanes_[lane] = true;
}

std::vector<db::LaneSlots> KnownLanes::share(int free, const RoomOf& room_of) {
  struct Claimant {
    decltype(lanes_)::iterator lane;
    Room room;
    // What it gets when every lane is filled up to `level`.
    int to(int level) const { return std::clamp(level - room.in_flight, 0, room.allowance); }
  };
  std::vector<Claimant> claimants;
  claimants.reserve(lanes_.size());
  auto next = lanes_.upper_bound(last_favoured_);
  for (std::size_t i = 0; i < lanes_.size(); ++i, ++next) {
    if (next == lanes_.end()) next = lanes_.begin();
    claimants.push_back({next, room_of(next->first)});
  }

  // The highest level that the free slots reach for all.
  const auto needed = [&](int level) {
    std::int64_t sum = 0;
    for (const auto& each : claimants) sum += each.to(level);
    return sum;
  };
  int level = 0, too_high = free + 1;
  for (const auto& each : claimants) too_high = std::max(too_high, each.room.in_flight + free + 1);
  while (level + 1 < too_high) {
    const int middle = level + (too_high - level) / 2;
    (needed(middle) <= free ? level : too_high) = middle;
  }

  std::vector<db::LaneSlots> shares;
  auto left = free - needed(level);
  for (const auto& each : claimants) {
    const bool favoured = left > 0 && each.to(level + 1) > each.to(level);
    if (favoured) {
      --left;
      last_favoured_ = each.lane->first;
    }
    const int slots = each.to(level + (favoured ? 1 : 0));
    if (slots == 0) continue;
    shares.push_back({each.lane->first, slots});
    each.lane->second = false;
  }
  return shares;
}

void KnownLanes::claimed(std::span<const db::LaneSlots> asked, std::span<const db::Claimed> tasks) {
  std::unordered_map<std::int64_t, int> came;
  for (const auto& task : tasks) ++came[task.lane];
  for (const auto& [lane, free] : asked) {
    const auto known = lanes_.find(lane);
    if (known != lanes_.end() && !known->second && came[lane] < free) lanes_.erase(known);
  }
}

void KnownLanes::hold(std::span<const db::HeldLane> lanes, Monotonic now) {
  for (const auto& [lane, wait, full_up] : lanes) held_[lane] = {now + wait, full_up};
}

void KnownLanes::park(const RoomOf& room_of, const RetryAt& retry_at, Monotonic now) {
  std::erase_if(lanes_, [&](const auto& known) {
    if (room_of(known.first).allowance > 0) return false;
    const auto until = retry_at(known.first);
    held_[known.first] = {until.value_or(now + kResultWait), !until};
    return true;
  });
}

void KnownLanes::place_freed() {
  for (auto& [lane, held] : held_) {
    if (held.full_up) held.until = {};
  }
}

void KnownLanes::release(Monotonic now) {
  std::erase_if(held_, [&](const auto& each) {
    if (now < each.second.until) return false;
    lanes_[each.first] = true;
    return true;
  });
}

std::optional<Monotonic> KnownLanes::release_at() const {
  std::optional<Monotonic> first;
  for (const auto& [lane, held] : held_) {
    if (!first || held.until < *first) first = held.until;
  }
  return first;
}

std::vector<std::int64_t> parse_lanes(std::string_view payload) {
  std::vector<std::int64_t> lanes;
  const char* at = payload.data();
  const char* const end = at + payload.size();
  while (at != end) {
    std::int64_t lane = 0;
    const auto read = std::from_chars(at, end, lane);
    if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ',')) return {};
    lanes.push_back(lane);
    at = read.ptr == end ? end : read.ptr + 1;
  }
  return lanes;
}

}  // namespace postern::scheduler
