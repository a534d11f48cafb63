// From claim to settle: takes ready tasks while there are free slots, calls their webhooks, and
// hands what came of it to the settler. Owns the tasks that are under way.
#pragma once

#include <deque>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/program/log_throttle.h"
#include "db/engine/claim.h"
#include "db/engine/store.h"
#include "scheduler/delivery/endpoint_health.h"
#include "scheduler/delivery/environment.h"
#include "scheduler/delivery/lane_memory.h"
#include "scheduler/delivery/lane_use.h"
#include "scheduler/delivery/lanes.h"
#include "scheduler/delivery/lost_claims.h"
#include "scheduler/delivery/pacing.h"
#include "scheduler/delivery/settler.h"
#include "scheduler/delivery/unsent_bodies.h"
#include "scheduler/http/client.h"

namespace postern::scheduler {

// Confined to one thread.
class Dispatcher {
 public:
  struct Options {
    Uuid instance;
    int slots = 256;              // attempts that may be answered soon
    int places = 4096;            // and those that wait for an answer besides
    std::string public_url = {};  // for the receivers that tell an attempt's end later
    std::size_t unsent_bodies = std::size_t{256} << 20;  // bytes that were not sent yet
  };
  // What is given by reference must outlive it. Claims and settlements have a connection each.
  Dispatcher(const Options& options, db::Store& claims, db::Store& settles, Transport& http,
             Environment& environment);

  // These lanes may have work. From then on they are claimed from.
  void add_lanes(std::span<const std::int64_t> lanes);
  // What the last claims have held back may be permitted now.
  void limits_changed() { lanes_.limits_changed(); }

  // A beat of ours is known to be in the database. Nobody takes us for dead before `until`; what
  // was claimed before a time in which somebody could have done so is given back, unless it was
  // sent.
  void beaten(Monotonic until, Monotonic now);

  // Collects results, settles, claims: whatever can be done without waiting.
  void turn(Monotonic now);
  // When to call turn even if nothing happens.
  std::optional<Monotonic> wake_at() const;

  // Claims no more; what was not sent yet, and what a claim under way still brings, is given back.
  void stop_claiming();
  // Gives back what is in flight. REQUIRES: the client has been told to drop it.
  void give_back_in_flight();

  // The tasks that are ours: in flight, or their end not settled yet.
  std::set<TaskId> held() const;

  std::size_t in_flight() const { return in_flight_.size(); }
  std::size_t unsettled() const { return settler_.size() + settler_.kept(); }
  // Nothing in flight, nothing being claimed, everything settled that can be.
  bool idle() const { return in_flight_.empty() && !claiming_ && settler_.size() == 0; }
  Settler& settler() { return settler_; }
  const Pacing& pacing() const { return pacing_; }
  EndpointHealth& health() { return health_; }
  LostClaims& lost_claims() { return lost_claims_; }
  LaneUse& lane_use() { return lane_use_; }
  LaneMemory& lane_memory() { return lane_memory_; }

 private:
  struct Claim {
    std::vector<db::LaneSlots> asked;
    Uuid lease;
    Monotonic sent_at;
  };

  void finish(const Transport::Finished& finished, Monotonic now);
  void refresh_lanes(Monotonic now);
  bool may_claim(Monotonic now) const;
  int free_slots() const;
  void claim(Monotonic now);
  void claimed(db::ClaimAnswer answer);
  void claim_failed(const db::PgError& error);
  void take(db::Claimed task, Monotonic asked_at, Monotonic now);
  void send(Monotonic now);
  void give_back(const db::Claimed& task);
  void let_go(std::uint64_t transfer);
  double random() { return std::uniform_real_distribution<>()(random_); }

  const Options options_;
  db::Store& claims_;
  Transport& http_;
  Environment& environment_;
  Settler settler_;
  Pacing pacing_;
  UnsentBodies bodies_;
  EndpointHealth health_;
  LostClaims lost_claims_;
  LaneUse lane_use_;
  LaneMemory lane_memory_;

  KnownLanes lanes_;
  std::optional<Claim> claiming_;  // the one claim under way
  Monotonic claim_at_{};           // a claim may have to wait until then
  bool brisk_ = false;             // the last one brought several tasks, and all there were
  Monotonic not_before_{};         // after a failure
  Monotonic alive_until_ = Monotonic::max();  // for the others, until the next beat
  Monotonic alive_since_{};
  bool silent_ = false;  // the last turn came after alive_until_
  static constexpr std::size_t kMostLanes = 1 << 20;
  std::size_t most_lanes_ = kMostLanes;  // of one claim; halved while one is refused for its data
  bool stopped_ = false;

  struct Unsent {
    std::uint64_t id;
    Monotonic asked_at;  // when its claim was sent
  };
  std::unordered_map<std::uint64_t, db::Claimed> in_flight_;  // by the transfer's id
  std::deque<Unsent> to_send_;  // those of them that wait for their turn
  std::uint64_t next_transfer_ = 0;
  Monotonic forget_at_{};  // when pacing forgets idle lanes
  std::mt19937_64 random_{environment_.seed()};
  LogThrottle log_claim_failed_;
};

}  // namespace postern::scheduler
