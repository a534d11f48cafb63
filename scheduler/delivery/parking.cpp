#include "scheduler/delivery/parking.h"

#include <algorithm>

namespace postern::scheduler {
namespace {

// Parts of the slots: probes of stopped lanes, and attempts of which no answer may come.
constexpr int kProbesPart = 4;
constexpr int kDoubtfulPart = 2;
constexpr int kDoubtfulNotFirstPart = 4;
// A tenant leaves this part of the slots, and of each of those parts, to others; of places, too, if
// there are few.
constexpr int kOthersPart = 4;
constexpr int most_of_tenant(int of) { return of - of / kOthersPart; }
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
  const LaneTenant tenant = lane_tenant(lane);
  auto where = Where::slot;
  if (parked_ < places_) {
    const auto& held = slots_of(tenant);
    const bool has_share = held.all >= most_of_tenant(slots_) ||
                           held.by_pace[index(pace)] >= most_of_tenant(part(pace, true));
    if (has_share) where = Where::beside;
    if (pace == Pace::slow) where = Where::place;
  }
  attempts_.emplace(attempt, Attempt{lane, pace, where});
  if (where != Where::slot) ++parked_;
  if (where != Where::slot || pace != Pace::quick) ++places_of_[tenant];
  if (where == Where::place) return false;
  auto& of_tenant = slots_of_[tenant];
  ++of_tenant.all;
  ++of_tenant.by_pace[index(pace)];
  queue_.emplace_back(attempt, now);
  constexpr std::size_t kFew = 64;
  if (queue_.size() > 2 * attempts_.size() + kFew) drop_ended();
  if (where == Where::beside) return false;
  ++in_slots_;
  ++in_slots_by_pace_[index(pace)];
  return true;
}

Parking::Ended Parking::end(AttemptNumber number) {
  const auto found = attempts_.find(number);
  const auto attempt = found->second;
  attempts_.erase(found);
  if (attempt.where != Where::slot || attempt.pace != Pace::quick) {
    const auto places = places_of_.find(lane_tenant(attempt.lane));
    if (--places->second == 0) places_of_.erase(places);
  }
  if (attempt.where != Where::slot) --parked_;
  if (attempt.where != Where::place) leave_slot(attempt);
  return {attempt.where == Where::slot,
          attempt.where == Where::slot && attempt.pace == Pace::quick};
}

// One that is in a slot or beside them, and no longer in attempts_ or about to be in a place.
void Parking::leave_slot(const Attempt& attempt) {
  const auto of_tenant = slots_of_.find(lane_tenant(attempt.lane));
  --of_tenant->second.by_pace[index(attempt.pace)];
  if (--of_tenant->second.all == 0) slots_of_.erase(of_tenant);
  if (attempt.where == Where::slot) {
    --in_slots_;
    --in_slots_by_pace_[index(attempt.pace)];
  }
  while (!queue_.empty() && !attempts_.contains(queue_.front().first)) queue_.pop_front();
}

std::optional<Parking::Parked> Parking::park_next(Monotonic now) {
  const auto at = wake_at();
  if (!at || now < *at) return std::nullopt;
  auto& attempt = attempts_.find(queue_.front().first)->second;
  queue_.pop_front();
  leave_slot(attempt);
  const bool held_slot = attempt.where == Where::slot;
  if (held_slot) {
    ++parked_;
    if (attempt.pace == Pace::quick) ++places_of_[lane_tenant(attempt.lane)];
  }
  attempt.where = Where::place;
  return Parked{attempt.lane, held_slot};
}

std::optional<Monotonic> Parking::wake_at() const {
  if (queue_.empty()) return std::nullopt;
  const auto& first = queue_.front();
  const bool has_place = attempts_.find(first.first)->second.where == Where::beside;
  if (!has_place && parked_ >= places_) return std::nullopt;
  return first.second + kParkAfter;
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

// Of the slots, the part for attempts of this pace.
int Parking::part(Pace pace, bool first) const {
  int part = 1;
  if (pace == Pace::probe) part = kProbesPart;
  if (pace == Pace::doubtful) part = first ? kDoubtfulPart : kDoubtfulNotFirstPart;
  return std::max(1, slots_ / part);
}

int Parking::free_slots(Pace pace, bool first) const {
  return std::max(0, part(pace, first) - in_slots_by_pace_[index(pace)]);
}

int Parking::lane_share() const { return std::max(slots_, places_ / kLanePart); }

int Parking::tenant_places(LaneTenant tenant, bool first) const {
  const int places = std::max(places_, slots_ / 2);
  const int share = std::min(std::max(slots_, places_ / kTenantPart),
                             most_of_tenant(places - std::min(slots_, places / kReservePart)));
  const auto held = places_of_.find(tenant);
  return share - (first ? 0 : share / kFirstPart) - (held == places_of_.end() ? 0 : held->second);
}

const Parking::TenantSlots& Parking::slots_of(LaneTenant tenant) const {
  static const TenantSlots kNone;
  const auto found = slots_of_.find(tenant);
  return found == slots_of_.end() ? kNone : found->second;
}

int Parking::tenant_slots(LaneTenant tenant) const { return slots_of(tenant).all; }

// What a tenant that holds so many may have besides of `most`: the last part of them in places.
int Parking::room(int held, int most) const {
  const int share = most_of_tenant(most);
  return std::max(0, std::min(most - held, std::max(0, share - held) + places_ - parked_));
}

int Parking::tenant_room(LaneTenant tenant) const { return room(slots_of(tenant).all, slots_); }

int Parking::tenant_room(LaneTenant tenant, Pace pace, bool first) const {
  return room(slots_of(tenant).by_pace[index(pace)], part(pace, first));
}

bool ClaimBudget::take(const LaneRoom& room) {
  if (room.pace == Pace::quick) return true;
  const bool first = room.idle;
  const bool in_slot = room.pace != Pace::slow;
  auto& of_tenant = tenants_[room.tenant];
  const auto pace = static_cast<std::size_t>(room.pace);
  if (of_tenant.places >= parking_.tenant_places(room.tenant, first)) return false;
  if (places_ >= parking_.free_places(first) && !(first && in_slot)) return false;
  if (in_slot && slots_[pace] >= parking_.free_slots(room.pace, first)) return false;
  if (in_slot && of_tenant.slots[pace] >= parking_.tenant_room(room.tenant, room.pace, first)) {
    return false;
  }
  ++of_tenant.places;
  ++of_tenant.slots[pace];
  ++places_;
  ++slots_[pace];
  return true;
}

}  // namespace postern::scheduler
