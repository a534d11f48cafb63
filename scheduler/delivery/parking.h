// Where the attempts under way stand. An attempt holds a slot while its answer may be expected
// soon; after that it is parked in a place, where it costs a descriptor and some memory and keeps
// nobody waiting. Pure: time is an argument.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "core/model/lane.h"
#include "core/time/time.h"

namespace postern::scheduler {

using LaneId = std::int64_t;
// Numbers the attempts. REQUIRES: each that starts has a higher one than all before it.
using AttemptNumber = std::uint64_t;

// An attempt holds its slot no longer, unless there is no free place.
inline constexpr Milliseconds kParkAfter{100};

// What is expected of an attempt when it starts.
enum class Pace {
  quick,     // an answer within kParkAfter
  slow,      // a later one, so it goes to a place at once
  doubtful,  // perhaps none: its receiver has never answered, or is silent
  probe,     // the same; its lane is stopped
};

// What a lane may have of the next claim.
struct LaneRoom {
  int in_slots = 0;                                        // what it holds already
  int of_tenant = 0;                                       // and all lanes of its tenant
  int allowance = 0;                                       // how many more attempts may start now
  int tenant_allowance = std::numeric_limits<int>::max();  // and how many of all its tenant's lanes
  bool idle = true;                                        // it has none in flight
  Pace pace = Pace::doubtful;
  LaneTenant tenant = 0;
  // Without allowance: when it gets one if nothing else happens. nullopt: when some attempt has
  // ended or was parked.
  std::optional<Monotonic> retry_at = {};
};

// Confined to one thread. Every call takes constant time, on average.
class Parking {
 public:
  Parking(int slots, int places);

  // Returns whether it holds a slot. One of a tenant that has its share of them begins in a place,
  // if there is one.
  bool start(AttemptNumber attempt, LaneId lane, Pace pace, Monotonic now);
  // REQUIRES: it was started, and has not ended.
  struct Ended {
    bool held_slot;
    bool quick;  // it took nothing that attempts which are not quick wait for
  };
  Ended end(AttemptNumber attempt);

  // Parks the next attempt whose time has come.
  struct Parked {
    LaneId lane;
    bool held_slot;  // false: it began in a place
    bool operator==(const Parked&) const = default;
  };
  std::optional<Parked> park_next(Monotonic now);
  // When to call it again. nullopt: nothing can be parked before an attempt ends or starts.
  std::optional<Monotonic> wake_at() const;

  int parked() const { return parked_; }
  int free_slots() const;
  // What follows leaves some for first attempts: `first` says that the lane has none in flight.
  //
  // Those free for attempts of this pace, however many lanes want to start some.
  int free_slots(Pace pace, bool first) const;
  // Those for attempts that are not quick. Some are kept for quick ones that turn out not to be.
  int free_places(bool first) const;
  // The places left of a tenant's share, which is half of them. Below zero when quick attempts
  // turned out not to be.
  int tenant_places(LaneTenant tenant, bool first) const;
  // Three quarters of the slots, and of the parts of them that are for doubtful attempts and
  // probes, are the most that one tenant holds, so that some are free when another one comes. What
  // it may have besides begins in places, so that a tenant alone has as many attempts under way as
  // if it held all of them.
  //
  // Those that it holds, or for which it has a place.
  int tenant_slots(LaneTenant tenant) const;
  // How many more it may start, and how many of this pace.
  int tenant_room(LaneTenant tenant) const;
  int tenant_room(LaneTenant tenant, Pace pace, bool first) const;

  // No lane has more attempts under way: an eighth of the places, but at least as many as slots.
  int lane_share() const;
  int slots() const { return slots_; }

 private:
  enum class Where {
    slot,
    beside,  // in a place, and counts for its tenant like one in a slot until it would be parked
    place,
  };
  struct Attempt {
    LaneId lane;
    Pace pace;
    Where where;
  };
  struct TenantSlots {
    int all = 0;
    std::array<int, 4> by_pace{};
  };
  static std::size_t index(Pace pace) { return static_cast<std::size_t>(pace); }
  int taken() const;
  int part(Pace pace, bool first) const;
  const TenantSlots& slots_of(LaneTenant tenant) const;
  int room(int held, int most) const;
  void leave_slot(const Attempt& attempt);
  void drop_ended();

  const int slots_;
  const int places_;
  int parked_ = 0;
  int in_slots_ = 0;
  std::array<int, 4> in_slots_by_pace_{};
  boost::unordered_flat_map<AttemptNumber, Attempt> attempts_;
  // By tenant, without zeros: the places as in taken(), and the slots.
  boost::unordered_flat_map<LaneTenant, int> places_of_;
  boost::unordered_flat_map<LaneTenant, TenantSlots> slots_of_;
  // In slots or beside them, as they began; the first is under way, those behind it may have ended.
  std::deque<std::pair<AttemptNumber, Monotonic>> queue_;
};

// What one claim may ask for over all lanes: no lane's allowance knows of the others'.
class ClaimBudget {
 public:
  explicit ClaimBudget(const Parking& parking) : parking_(parking) {}
  // One more attempt of a lane, the first if it is idle. False: it does not fit.
  bool take(const LaneRoom& room);

 private:
  const Parking& parking_;
  // What it has taken.
  int places_ = 0;
  std::array<int, 4> slots_{};  // by pace
  struct OfTenant {
    int places = 0;
    std::array<int, 4> slots{};
  };
  boost::unordered_flat_map<LaneTenant, OfTenant> tenants_;
};

}  // namespace postern::scheduler
