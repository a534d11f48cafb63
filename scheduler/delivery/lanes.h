// The lanes that are known to have work, and how free slots are shared among them. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/time/time.h"
#include "db/engine/claim.h"

namespace postern::scheduler {

class KnownLanes {
 public:
  // These may have work, says a tick or a notification.
  void add(std::span<const std::int64_t> lanes);

  bool empty() const { return lanes_.empty(); }
  std::size_t size() const { return lanes_.size(); }

  // What a lane holds already, and how many more it may have.
  struct Room {
    int in_flight;
    int allowance;
  };
  using RoomOf = std::function<Room(std::int64_t lane)>;

  // Shares `free` slots so that all lanes hold as nearly the same as they may, counting what they
  // hold already: a receiver that is slow has its part in flight and gets no more. What does not
  // divide goes to the next ones in turn. One lane alone gets all of them. REQUIRES: those without
  // allowance are parked.
  std::vector<db::LaneSlots> share(int free, const RoomOf& room_of);

  // What a claim of `asked` brought. A lane that had less than was asked for is forgotten, unless
  // it has been added since: its new work may have come too late for that claim.
  void claimed(std::span<const db::LaneSlots> asked, std::span<const db::Claimed> tasks);

  // These have more work than they may be given at `now`; they come back when their time has come.
  void hold(std::span<const db::HeldLane> lanes, Monotonic now);
  // Holds the known lanes that have no allowance: `retry_at` tells until when; nullopt: until an
  // attempt has ended.
  using RetryAt = std::function<std::optional<Monotonic>(std::int64_t lane)>;
  void park(const RoomOf& room_of, const RetryAt& retry_at, Monotonic now);
  // Some attempt has ended: lanes that wait for a free place may be asked again.
  void place_freed();
  // Takes back those whose time has come.
  void release(Monotonic now);
  // When to call release; nullopt: none is held.
  std::optional<Monotonic> release_at() const;

 private:
  std::map<std::int64_t, bool> lanes_;  // whether it was added since the last share()
  std::int64_t last_favoured_ = 0;
  struct Held {
    Monotonic until;
    bool full_up;
  };
  std::map<std::int64_t, Held> held_;
};

// The lane ids of a notification, "1,-2,3". Empty means: look yourself; so does anything that is
// not ids.
std::vector<std::int64_t> parse_lanes(std::string_view payload);

}  // namespace postern::scheduler
