// The lanes that are known to have work, and how free slots are shared among them. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "core/time/time.h"
#include "db/engine/claim.h"
#include "scheduler/delivery/parking.h"

namespace postern::scheduler {

class KnownLanes {
 public:
  // These may have work, says a tick or a notification. That changes nothing for those that a claim
  // has held back.
  void add(std::span<const LaneId> lanes);

  bool empty() const { return lanes_.empty(); }
  std::size_t size() const { return lanes_.size(); }
  // Whether share() may give some away. Not when those that are left are of tenants that have what
  // they may, until an attempt has ended or was parked, or lanes have come.
  bool may_share() const { return !lanes_.empty() && !all_have_their_share_; }

  using RoomOf = std::function<LaneRoom(LaneId lane)>;
  // Whether one more attempt fits into what all lanes together may have.
  using Take = std::function<bool(const LaneRoom& room)>;

  // Shares `free` slots so that all tenants hold as nearly the same as they may, and of each tenant
  // all lanes, counting the slots that they hold already. What does not divide goes to the next
  // ones in turn, and so do the slots when there are more tenants or lanes: no more of them are
  // looked at than it takes. One lane alone gets what it may have. Those that may have nothing are
  // held; the lanes of a tenant that may have nothing are not looked at.
  std::vector<db::LaneSlots> share(int free, const RoomOf& room_of, const Take& take,
                                   Monotonic now);

  // What a claim of `asked` brought. A lane that had less than was asked for is forgotten, unless
  // it has been added since: its new work may have come too late for that claim.
  void claimed(std::span<const db::LaneSlots> asked, std::span<const db::Claimed> tasks);

  // These have more work than they may be given at `now`; they come back when their time has come,
  // after a second at most. Where a tenant has hundreds of them they take turns, a thousand in a
  // second.
  void hold(std::span<const db::HeldLane> lanes, Monotonic now);
  // All of them are to be asked again: at the next release(), and once a second at most.
  void limits_changed() { limits_changed_ = true; }
  // An attempt of this lane has ended, so it may have another one.
  void attempt_ended(LaneId lane);
  // Those that wait for others' attempts may be asked again, of each tenant the first of them if
  // they are many: an end was settled, for those that a claim has held; an attempt has ended or was
  // parked, for the rest.
  void place_freed() { wake(by_claim_); }
  void room_freed() {
    share_freed();
    wake(by_pacing_);
  }
  // A tenant that could have nothing may have something.
  void share_freed() { all_have_their_share_ = false; }
  // Takes back those whose time has come.
  void release(Monotonic now);
  // When to call release; nullopt: none is held.
  std::optional<Monotonic> release_at() const;
  // Whether lanes have work that only a free slot or place lets start.
  bool waiting() const { return !lanes_.empty() || !by_pacing_.empty(); }

 private:
  using Known = std::map<LaneId, bool>;  // whether it was added since the last share()
  // By tenant, and then by their turn; no tenant is without lanes.
  using Queue = std::map<LaneTenant, std::map<std::uint64_t, LaneId>>;
  struct Claimant {
    Known::iterator lane;
    LaneRoom room;
    int got = 0;
  };
  // By what each holds, the least first, and then in turn.
  using Turn = std::pair<int, std::size_t>;
  using Turns = std::priority_queue<Turn, std::vector<Turn>, std::greater<>>;
  struct Tenant {
    std::vector<Claimant> lanes;
    Turns turns;
    int allowance = 0;
  };
  struct Held {
    Monotonic until;
    Queue* queue;              // by_claim_ or by_pacing_
    std::uint64_t ticket = 0;  // its turn there; 0: only time helps
  };
  // Of a tenant's lanes that claims have held.
  struct HeldOfTenant {
    int count = 0;
    Monotonic last{};  // when the last of those that take turns is to be asked
  };
  using HeldLanes = boost::unordered_flat_map<LaneId, Held>;

  std::vector<LaneId> next_tenants(std::size_t most) const;
  Tenant look_at(LaneId first_lane, int free, std::size_t most_looks, const RoomOf& room_of,
                 Monotonic now);
  void put_back(LaneId lane);
  Monotonic turn_of(LaneTenant tenant, Monotonic until);
  void hold(LaneId lane, Queue& queue, Monotonic until, bool waits);
  Known::iterator hold(Known::iterator lane, const LaneRoom& room, Monotonic now);
  void unhold(HeldLanes::iterator held);
  void wake(Queue& queue);
  void release_by_claim(Monotonic now);

  Known lanes_;
  bool all_have_their_share_ = false;  // the tenants of lanes_, as share() found
  LaneId last_favoured_ = 0;
  boost::unordered_flat_map<LaneTenant, LaneId> favoured_;  // the same for each tenant
  HeldLanes held_;
  std::set<std::pair<Monotonic, LaneId>> by_time_;  // all of held_
  Queue by_claim_, by_pacing_;                      // those that wait for others' attempts
  std::uint64_t last_ticket_ = 0;
  LaneTenant last_woken_ = 0;
  boost::unordered_flat_map<LaneTenant, HeldOfTenant> held_of_;
  bool limits_changed_ = false;
  Monotonic look_again_at_{};  // not earlier, even if limits have changed
};

// The lane ids of a notification, "1,-2,3". Empty means: look yourself; so does anything that is
// not ids.
std::vector<LaneId> parse_lanes(std::string_view payload);

}  // namespace postern::scheduler
