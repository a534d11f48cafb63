// How many attempts each lane may have in flight, so that a receiver that hangs, is down or asks
// for a pause neither holds the slots of the others nor uses up the attempts of its tasks. Pure:
// time is an argument. It knows lanes and attempts, not tasks; docs/design.md, "Pacing", has the
// reasons.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "core/time/time.h"
#include "scheduler/delivery/attempt_end.h"
#include "scheduler/delivery/attempt_window.h"
#include "scheduler/delivery/parking.h"
#include "scheduler/delivery/silence.h"

namespace postern::scheduler {

enum class BreakerState {
  closed,     // attempts start, up to the lane's limit
  throttled,  // the receiver asked for a pause; then one attempt may start
  open,       // it failed repeatedly; none starts before the cool-down is over, and then one
  half_open,  // that one is in flight
};

std::string_view name(BreakerState state);

// Confined to one thread. Nothing here depends on the number of lanes but forget_idle and stopped.
class Pacing {
 public:
  // At most `slots` attempts that may be answered soon are in flight, and `places` (both at least
  // 1) besides them.
  Pacing(int slots, int places);

  // What the lane may start now, and if nothing, when.
  LaneRoom room(LaneId lane, Monotonic now) const;
  int allowance(LaneId lane, Monotonic now) const { return room(lane, now).allowance; }
  std::optional<Monotonic> retry_at(LaneId lane, Monotonic now) const {
    return room(lane, now).retry_at;
  }
  // What the lanes together may start.
  ClaimBudget budget() const { return ClaimBudget(parking_); }

  // Whether one more attempt of the lane fits in, its tenant's share included. What is not allowed
  // is put back.
  bool may_start(LaneId lane, Monotonic now);
  // One that is not allowed may start all the same. If its lane is stopped, its end decides
  // nothing.
  void started(LaneId lane, AttemptNumber attempt, Monotonic now);

  // REQUIRES: it was started. One of these two, once.
  void finished(LaneId lane, AttemptNumber attempt, const AttemptEnd& end, Monotonic now);
  void given_back(LaneId lane, AttemptNumber attempt, Monotonic now);

  // Parks what has held its slot long enough. Whether anything came free since the last call that
  // several lanes may wait for.
  bool turn(Monotonic now);
  // When to call turn for somebody who waits for a slot.
  std::optional<Monotonic> wake_at() const { return parking_.wake_at(); }
  int free_slots() const { return parking_.free_slots(); }
  int parked() const { return parking_.parked(); }

  BreakerState state(LaneId lane) const;
  // The attempts in flight beyond which none starts while the lane is closed; 1 to lane_share().
  int limit(LaneId lane) const;
  int in_flight(LaneId lane) const;
  int lane_share() const { return share_; }

  struct Stopped {
    LaneId lane;
    BreakerState state;  // not `closed`
    Monotonic until;     // the next attempt starts then at the earliest; in half_open, past
  };
  // The lanes whose state is not closed, `most` of them at most, in no order.
  std::vector<Stopped> stopped(std::size_t most = 1000) const;

  // Drops what is known of lanes that have had no attempt for five minutes, or for a day if they
  // are stopped. Call it about once a minute.
  void forget_idle(Monotonic now);
  // How many lanes something is known of: 10,000 at most, besides those with attempts in flight.
  // When there are more, those idle the longest are forgotten, first the closed ones.
  std::size_t remembered() const { return lanes_.size(); }

 private:
  struct Lane {
    BreakerState state = BreakerState::closed;
    int in_flight = 0;
    int in_slots = 0;
    int limit = 1;
    int linear_from = 1;    // below it, the limit doubles with each round of successes
    int grown = 0;          // successes towards the next step above it
    int failed_in_row = 0;  // while closed
    int stops = 0;          // in succession: how long to wait
    int early = 0;          // attempts in flight that began before the lane was last stopped
    bool failed = false;    // lately: `window` counts
    AttemptNumber stopped_before = 0;  // the first that began after the lane was last stopped
    AttemptNumber halved_before = 0;   // the first that began after the limit was last halved
    AttemptNumber probe = 0;           // in half_open
    AttemptNumber asked_from = 0;      // the first that began in this silence
    Monotonic until{};                 // while throttled or open
    Monotonic closed_at{};             // when a probe last succeeded
    Monotonic used_at{};               // when an attempt last started or ended
    Silence silence;
    AttemptWindow window;  // since the lane's first failure, or since closed_at

    bool blocked() const { return in_flight - early >= limit; }
    bool silent(Monotonic now) const { return silence.silent(blocked(), now); }
  };

  Lane& meet(LaneId id, Monotonic now);
  Pace pace(const Lane& lane, Monotonic now) const;
  int wanted(const Lane& lane, Monotonic now) const;
  std::optional<Monotonic> wanted_at(const Lane& lane, Monotonic now) const;
  int bound(const Lane& lane, LaneTenant tenant, Pace pace) const;
  bool fits(const Lane& lane, LaneTenant tenant, Pace pace) const;
  bool may_probe(const Lane& lane, Monotonic now) const;
  void judge(Lane& lane, AttemptNumber attempt, Health health, Milliseconds retry_after,
             Monotonic now);
  void probe_ended(Lane& lane, Health health, Milliseconds retry_after, Monotonic now);
  void succeeded(Lane& lane, AttemptNumber attempt, Monotonic now);
  void grow(Lane& lane) const;
  void halve(Lane& lane, int in_flight) const;
  void stop(Lane& lane, int in_flight, Milliseconds retry_after, Monotonic now) const;
  void make_room();

  Parking parking_;
  const int share_;
  const Lane unmet_;
  bool freed_ = false;      // something that lanes may wait for, since the last turn
  AttemptNumber next_ = 0;  // higher than every attempt that has started
  boost::unordered_flat_map<LaneId, Lane> lanes_;
  std::size_t make_room_at_;
};

}  // namespace postern::scheduler
