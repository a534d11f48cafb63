#include "scheduler/delivery/lane_memory.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// Fewer dead entries than this are cheaper to walk over than to look after.
constexpr int kWorthIt = 256;
// A mark is at least so old, and less than three times.
constexpr auto kRotation = 100ms;
// Scanning lanes whole takes at most a twentieth of the time.
constexpr auto kWholeEvery = 1s;
constexpr int kWholeShare = 20;
// A lane with tasks of more priorities than this is scanned whole.
constexpr std::size_t kMostRanks = 16;
constexpr auto kForgetAfter = 15min;
constexpr std::size_t kMostRemembered = 10'000;

}  // namespace

bool LaneMemory::has_marks(const Lane& lane) const {
  return lane.claimed >= kWorthIt && !lane.marks.empty();
}

void LaneMemory::claimed(const db::Claimed& task, Monotonic now) {
  Lane& lane = lanes_[task.lane];
  if (lane.name.tenant.empty()) {
    lane.name = {task.spec.tenant, task.spec.queue, task.spec.endpoint};
    lane.rotated_at = now;
  }
  lane.used_at = now;
  if (lane.claimed < kWorthIt) ++lane.claimed;
  if (now - lane.rotated_at >= kRotation) rotate(lane, now);

  const int number = db::rank_of(task.spec.priority);
  auto rank = std::ranges::lower_bound(lane.ranks, number, {}, &Rank::rank);
  if (rank == lane.ranks.end() || rank->rank != number) {
    if (lane.ranks.size() == kMostRanks) {
      lane.ranks.clear();
      lane.marks.clear();
      rank = lane.ranks.end();
    }
    rank = lane.ranks.insert(rank, {number, {}, {}, {}});
  }
  const Place place{task.run_at, task.spec.id};
  if (rank->oldest && place < *rank->oldest) {
    // It came late, and more may lie behind it.
    rank->seen = place;
    rank->older = rank->oldest = place;
    set_marks(lane);
  } else {
    rank->seen = std::max(rank->seen, place);
  }
}

void LaneMemory::rotate(Lane& lane, Monotonic now) {
  for (Rank& rank : lane.ranks) rank.oldest = std::exchange(rank.older, rank.seen);
  lane.rotated_at = now;
  set_marks(lane);
}

void LaneMemory::set_marks(Lane& lane) {
  lane.marks.clear();
  for (const Rank& rank : lane.ranks) {
    if (rank.oldest) lane.marks.push_back({rank.rank, rank.oldest->run_at, rank.oldest->id});
  }
}

std::span<const db::LaneMark> LaneMemory::marks(Lane& lane, Monotonic now) {
  if (now < lane.whole_at) return lane.marks;
  lane.whole_at = now + std::max<Monotonic::duration>(kWholeEvery, kWholeShare * whole_took_);
  whole_asked_ = true;
  return {};
}

db::LaneClaim LaneMemory::recall(const db::LaneSlots& slots, Monotonic now) {
  const auto found = lanes_.find(slots.lane);
  if (found == lanes_.end()) return {slots};
  Lane& lane = found->second;
  return {slots, &lane.name, has_marks(lane) ? marks(lane, now) : std::span<const db::LaneMark>()};
}

void LaneMemory::took(Monotonic::duration time) {
  if (std::exchange(whole_asked_, false)) whole_took_ = time;
}

std::vector<db::MarkedLane> LaneMemory::marked(Monotonic now) {
  std::vector<db::MarkedLane> out;
  for (auto& [id, lane] : lanes_) {
    if (!has_marks(lane)) continue;
    const auto in_force = marks(lane, now);
    lane.probed_whole = in_force.empty();
    out.push_back({id, in_force});
  }
  std::ranges::sort(out, {}, &db::MarkedLane::lane);
  return out;
}

void LaneMemory::found(std::int64_t id) {
  const auto known = lanes_.find(id);
  // What a whole scan has found need not lie behind the marks.
  if (known != lanes_.end() && known->second.probed_whole) known->second.whole_at = {};
}

void LaneMemory::look_from(std::int64_t id, Time run_at) {
  const auto known = lanes_.find(id);
  if (known == lanes_.end()) return;
  const Place place{run_at, {}};
  for (Rank& rank : known->second.ranks) {
    if (!rank.oldest || *rank.oldest <= place) continue;
    rank.seen = place;
    rank.older = rank.oldest = place;
  }
  set_marks(known->second);
}

void LaneMemory::forget_idle(Monotonic now) {
  boost::unordered::erase_if(
      lanes_, [&](const auto& each) { return now - each.second.used_at > kForgetAfter; });
  // Whole scans do without; so many lanes at once have few tasks each.
  if (lanes_.size() > kMostRemembered) lanes_.clear();
}

}  // namespace postern::scheduler
