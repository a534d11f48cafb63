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
#include "scheduler/delivery/attempt_window.h"
#include "scheduler/http/client.h"

namespace postern::scheduler {

// What is judged of an attempt that has ended.
struct AttemptEnd {
  HttpResult::Kind kind = HttpResult::Kind::answered;
  int status = 0;              // 0 unless `answered`
  Milliseconds duration{0};    // how long it held its slot
  Milliseconds retry_after{};  // what a 429 or 503 asked for; 0: nothing
};

// What an attempt's end says of its receiver.
enum class Health {
  well,        // it answered; whether it liked the task does not matter: 404 and 500 are answers
  failing,     // out of reach or broken, and says so quickly
  overloaded,  // the same, but slow to say so, or it asks for less
  unknown,     // the attempt never went as far as the receiver
};
Health health(const AttemptEnd& end);

enum class BreakerState {
  closed,     // attempts start, up to the lane's limit
  throttled,  // the receiver asked for a pause; then one attempt may start
  open,       // it failed repeatedly; none starts before the cool-down is over, and then one
  half_open,  // that one is in flight
};

std::string_view name(BreakerState state);

// Confined to one thread. Nothing here depends on the number of lanes but forget_idle and stopped;
// a lane that is well costs a counter, and only while it has attempts in flight.
class Pacing {
 public:
  using LaneId = std::int64_t;
  // Numbers the attempts. REQUIRES: each that starts has a higher one than all before it.
  using AttemptNumber = std::uint64_t;

  // No lane has more than `slots` (at least 1) attempts in flight.
  explicit Pacing(int slots);

  // How many more attempts may start now; 0: none.
  int allowance(LaneId lane, Monotonic now) const;

  // When a lane that has no allowance gets one if nothing else happens. nullopt: it has one, or it
  // waits for an attempt to end.
  std::optional<Monotonic> retry_at(LaneId lane, Monotonic now) const;

  // One that is not allowed any more, because it was claimed before the lane was stopped, may start
  // all the same or be put back without calling started(); if it starts, its end decides nothing.
  void started(LaneId lane, AttemptNumber attempt, Monotonic now);

  // REQUIRES: it was started. One of these two, once.
  void finished(LaneId lane, AttemptNumber attempt, const AttemptEnd& end, Monotonic now);
  void given_back(LaneId lane, AttemptNumber attempt, Monotonic now);

  BreakerState state(LaneId lane) const;
  // The attempts in flight beyond which none starts while the lane is closed; 1 to slots.
  int limit(LaneId lane) const;
  int in_flight(LaneId lane) const;

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
  std::size_t remembered() const { return troubled_.size(); }

 private:
  struct Lane {
    BreakerState state = BreakerState::closed;
    int limit = 1;
    int linear_from = 1;    // below it, the limit doubles with each round of successes
    int grown = 0;          // successes towards the next step above it
    int failed_in_row = 0;  // while closed
    int stops = 0;          // in succession: how long to wait
    int early = 0;          // attempts in flight that began before the lane was last stopped
    AttemptNumber stopped_before = 0;  // the first that began after the lane was last stopped
    AttemptNumber halved_before = 0;   // the first that began after the limit was last halved
    AttemptNumber probe = 0;           // in half_open
    Monotonic until{};                 // while throttled or open
    Monotonic closed_at{};             // when a probe last succeeded
    Monotonic used_at{};               // when an attempt last ended
    AttemptWindow window;              // since the lane's first failure, or since closed_at
  };

  bool may_probe(const Lane& lane, Monotonic now) const;
  void ended(LaneId lane, AttemptNumber attempt, Health health, Milliseconds retry_after,
             Monotonic now);
  void probe_ended(Lane& lane, Health health, Milliseconds retry_after, Monotonic now);
  void succeeded(LaneId id, Lane& lane, Monotonic now);
  void grow(Lane& lane) const;
  void halve(Lane& lane, int in_flight) const;
  void stop(Lane& lane, int in_flight, Milliseconds retry_after, Monotonic now) const;
  Lane& trouble(LaneId lane);
  void make_room();

  const int slots_;
  const int most_probes_;
  int probes_ = 0;                                    // in flight, over all lanes
  AttemptNumber next_ = 0;                            // higher than every attempt that has started
  boost::unordered_flat_map<LaneId, int> in_flight_;  // without zeros
  boost::unordered_flat_map<LaneId, Lane> troubled_;  // lanes that failed and are not over it
};

}  // namespace postern::scheduler
