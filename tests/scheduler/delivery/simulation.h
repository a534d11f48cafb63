// A scheduler's claims and attempts in virtual time: the real lanes and pacing, hosts that answer
// as a test says, and a database that takes a millisecond for a claim.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/delivery/lanes.h"
#include "scheduler/delivery/pacing.h"

namespace postern::scheduler::test {

using namespace std::chrono_literals;

class Simulation {
 public:
  // How long an attempt takes that starts at `now`; nullopt: it is never answered, and times out.
  using Host = std::function<std::optional<Milliseconds>(Monotonic now, std::mt19937& random)>;

  explicit Simulation(int most_in_slots = 256, int most_parked = 4096)
      : slots(most_in_slots), places(most_parked), pacing(slots, places) {}

  // Each lane has a host; `hangs` says that its waiting times are nobody's, and its slots a burden.
  LaneId add_lane(Host host, bool hangs = false, const std::string& tenant = "tenant");
  // One task, due now.
  void add_task(LaneId lane);
  void add_tasks(LaneId lane, int count) {
    while (count-- > 0) add_task(lane);
  }
  // Goes on for so long; `per_second` tasks for lanes in turn by chance.
  void run_for(Milliseconds time, int per_second = 0);

  // How many tasks of it have not started.
  int ready(LaneId lane) const { return static_cast<int>(lanes_.at(index_of(lane)).ready.size()); }
  // The waiting time that this part of the tasks of lanes that do not hang did not exceed.
  Milliseconds waited(double part = 0.99) const;
  // Forgets what was counted.
  void begin_counting();

  const int slots;
  const int places;
  static constexpr Milliseconds kTimeout = 30s;
  Pacing pacing;
  Monotonic now{1h};
  std::mt19937 random{1};

  // Since begin_counting.
  std::map<LaneId, int> answered;
  int most_in_flight = 0;
  int given_back = 0;
  int started = 0;
  int turns = 0;
  int claims = 0;
  // Slots held by lanes that hang when none was free, or only those that one tenant may not have.
  int most_slots_hanging = 0;
  std::map<std::string, int> most_of_tenant;
  int in_flight = 0;

 private:
  struct Lane {
    LaneId id;
    Host host;
    bool hangs;
    std::string tenant;
    std::deque<Monotonic> ready;
  };
  struct Attempt {
    LaneId lane;
    AttemptEnd end;
  };
  struct Claim {
    std::vector<db::LaneSlots> asked;
    Monotonic answer_at;
  };

  static std::size_t index_of(LaneId lane) { return static_cast<std::size_t>(lane & 0xffffffff); }
  void turn();
  bool may_claim() const;
  std::optional<Monotonic> wake_at() const;
  void claim();
  void claimed();
  void start(LaneId lane, Monotonic due);

  std::vector<Lane> lanes_;
  std::map<std::string, LaneId> tenants_;
  KnownLanes known_;
  std::optional<Claim> claiming_;
  Monotonic claim_at_{};
  AttemptNumber next_ = 0;
  std::unordered_map<AttemptNumber, Attempt> attempts_;
  using End = std::pair<Monotonic, AttemptNumber>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::map<std::string, int> of_tenant_;
  std::vector<Monotonic::duration> waits_;
};

// Hosts.
inline Simulation::Host answers_in(Milliseconds time) {
  return [time](Monotonic, std::mt19937&) { return time; };
}
inline Simulation::Host never_answers() {
  return [](Monotonic, std::mt19937&) { return std::nullopt; };
}

}  // namespace postern::scheduler::test
