#include "scheduler/delivery/lane_use.h"

#include "core/model/lane.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// The rows have hours.
constexpr auto kForgetAfter = 15min;
// More are left to a later claim.
constexpr std::size_t kMostWaiting = 10'000;

}  // namespace

void LaneUse::add(std::int64_t lane, const TaskSpec& task) {
  if (noted_.contains(lane) || waiting_.contains(lane) || waiting_.size() >= kMostWaiting) return;
  waiting_[lane] = {lane, task.tenant, task.queue, lane_target(task)};
}

std::vector<db::LaneRow> LaneUse::take(std::size_t most, Monotonic now) {
  if (now >= forget_at_) {
    noted_.clear();
    forget_at_ = now + kForgetAfter;
  }
  std::vector<db::LaneRow> out;
  while (!waiting_.empty() && out.size() < most) {
    out.push_back(std::move(waiting_.extract(waiting_.begin()).mapped()));
  }
  return out;
}

void LaneUse::noted(std::span<const db::LaneRow> lanes) {
  for (const auto& lane : lanes) noted_.insert(lane.id);
}

}  // namespace postern::scheduler
