#include "scheduler/lanes.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace postern::scheduler {

void KnownLanes::add(std::span<const std::int64_t> lanes) {
  for (const auto lane : lanes) lanes_[lane] = true;
}

std::vector<db::LaneSlots> KnownLanes::share(int free) {
  std::vector<db::LaneSlots> shares;
  const int lanes = std::min(free, static_cast<int>(lanes_.size()));
  if (lanes <= 0) return shares;
  // With fewer slots than lanes, those that get one at all are the favoured.
  const int each = free / lanes;
  const int favoured = lanes < static_cast<int>(lanes_.size()) ? lanes : free % lanes;
  const int more = lanes < static_cast<int>(lanes_.size()) ? 0 : 1;

  auto next = lanes_.upper_bound(last_favoured_);
  for (int i = 0; i < lanes; ++i, ++next) {
    if (next == lanes_.end()) next = lanes_.begin();
    shares.push_back({next->first, each + (i < favoured ? more : 0)});
    next->second = false;
  }
  if (favoured > 0) last_favoured_ = shares[static_cast<std::size_t>(favoured - 1)].lane;
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
