#include "scheduler/delivery/parking.h"

#include <algorithm>

namespace postern::scheduler {
namespace {

// Parts of the slots: probes of stopped lanes, and attempts of which no answer may come.
constexpr int kProbesPart = 4;
constexpr int kDoubtfulPart = 2;
constexpr int kDoubtfulNotFirstPart = 4;
// Parts of the places.
constexpr int kLanePart = 8;
constexpr int kTenantPart = 2;
constexpr int kReservePart = 4;
constexpr int kFirstPart = 8;

}  // namespace

// With fewer places than half of the slots, attempts that are not quick may have that half.
Parking::Parking(int slots, int places) : slots_(std::max(1, slots)), places_(std::max(1, places)) {
  attempts_.reserve(static_cast<std::size_t>(slots_));
}

bool Parking::start(AttemptNumber attempt, LaneId lane, Pace pace, Monotonic now) {
  const bool parked = pace == Pace::slow && parked_ < places_;
  attempts_.emplace(attempt, Attempt{lane, pace, parked});
  if (pace != Pace::quick) ++places_of_[lane_tenant(lane)];
  if (parked) {
    ++parked_;
    return false;
  }
  ++in_slots_;
  ++in_slots_by_pace_[index(pace)];
  ++slots_of_[lane_tenant(lane)];
  queue_.emplace_back(attempt, now);
  constexpr std::size_t kFew = 64;
  if (queue_.size() > 2 * static_cast<std::size_t>(in_slots_) + kFew) drop_ended();
  return true;
}

Parking::Ended Parking::end(AttemptNumber number) {
  const auto found = attempts_.find(number);
  const auto attempt = found->second;
  attempts_.erase(found);
  if (attempt.parked || attempt.pace != Pace::quick) take_one(places_of_, attempt.lane);
  if (attempt.parked) {
    --parked_;
    return {false, false};
  }
  --in_slots_;
  --in_slots_by_pace_[index(attempt.pace)];
  take_one(slots_of_, attempt.lane);
  while (!queue_.empty() && !attempts_.contains(queue_.front().first)) queue_.pop_front();
  return {true, attempt.pace == Pace::quick};
}

std::optional<LaneId> Parking::park_next(Monotonic now) {
  const auto at = wake_at();
  if (!at || now < *at) return std::nullopt;
  auto& attempt = attempts_.find(queue_.front().first)->second;
  attempt.parked = true;
  if (attempt.pace == Pace::quick) ++places_of_[lane_tenant(attempt.lane)];
  ++parked_;
  --in_slots_;
  --in_slots_by_pace_[index(attempt.pace)];
  take_one(slots_of_, attempt.lane);
  queue_.pop_front();
  while (!queue_.empty() && !attempts_.contains(queue_.front().first)) queue_.pop_front();
  return attempt.lane;
}

std::optional<Monotonic> Parking::wake_at() const {
  if (queue_.empty() || parked_ >= places_) return std::nullopt;
  return queue_.front().second + kParkAfter;
}

void Parking::drop_ended() {
  std::erase_if(queue_, [&](const auto& each) { return !attempts_.contains(each.first); });
}

int Parking::free_slots() const { return std::max(0, slots_ - in_slots_); }

// The places of those parked, and of those that will be.
int Parking::taken() const { return parked_ + in_slots_ - in_slots_by_pace_[index(Pace::quick)]; }

int Parking::free_places(bool first) const {
  const int places = std::max(places_, slots_ / 2);
  const int kept = std::min(slots_, places / kReservePart) + (first ? 0 : places / kFirstPart);
  return std::max(0, places - kept - taken());
}

int Parking::free_slots(Pace pace, bool first) const {
  int part = 1;
  if (pace == Pace::probe) part = kProbesPart;
  if (pace == Pace::doubtful) part = first ? kDoubtfulPart : kDoubtfulNotFirstPart;
  return std::max(0, std::max(1, slots_ / part) - in_slots_by_pace_[index(pace)]);
}

int Parking::lane_share() const { return std::max(slots_, places_ / kLanePart); }

int Parking::tenant_places(LaneTenant tenant, bool first) const {
  const int share = std::max(slots_, places_ / kTenantPart);
  return share - (first ? 0 : share / kFirstPart) - count(places_of_, tenant);
}

int Parking::tenant_slots(LaneTenant tenant) const { return count(slots_of_, tenant); }

void Parking::take_one(ByTenant& counts, LaneId lane) {
  const auto found = counts.find(lane_tenant(lane));
  if (--found->second == 0) counts.erase(found);
}

int Parking::count(const ByTenant& counts, LaneTenant tenant) {
  const auto found = counts.find(tenant);
  return found == counts.end() ? 0 : found->second;
}

bool ClaimBudget::take(const LaneRoom& room) {
  if (room.pace == Pace::quick) return true;
  const bool first = room.idle;
  const bool in_slot = room.pace != Pace::slow;
  int& of_tenant = places_of_[room.tenant];
  int& slots = slots_[static_cast<std::size_t>(room.pace)];
  if (of_tenant >= parking_.tenant_places(room.tenant, first)) return false;
  if (places_ >= parking_.free_places(first) && !(first && in_slot)) return false;
  if (slots >= parking_.free_slots(room.pace, first) && in_slot) return false;
  ++of_tenant;
  ++places_;
  ++slots;
  return true;
}

}  // namespace postern::scheduler
