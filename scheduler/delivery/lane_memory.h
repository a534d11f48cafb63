// What a scheduler remembers of the lanes it has claimed from: what their ids stand for, and how
// far it has come in each, so that its next claim begins there. Pure: time is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "core/time/time.h"
#include "db/engine/claim.h"
#include "db/engine/tick.h"

namespace postern::scheduler {

// A place is passed over only once it has been behind the newest claim for a moment: transactions
// commit in another order than their tasks' starts say. Besides that, each lane is scanned whole
// about once a second, less often when that takes long, and whoever knows of a task before a mark
// says so with `look_from`; so a task that comes late waits a second and is not lost.
// Confined to one thread.
class LaneMemory {
 public:
  // A claim brought this task.
  void claimed(const db::Claimed& task, Monotonic now);

  // The lane with what is remembered of it. That refers to this object: valid until the next call
  // of another member.
  db::LaneClaim recall(const db::LaneSlots& slots, Monotonic now);
  // The statement that was made of what `recall` gave took so long.
  void took(Monotonic::duration time);

  // The lanes that have marks, for a tick; `found` is told in which of them it found tasks.
  std::vector<db::MarkedLane> marked(Monotonic now);
  void found(std::int64_t lane);

  // A ready task of this lane may start as early as `run_at`.
  void look_from(std::int64_t lane, Time run_at);

  // Forgets lanes that were idle for long. Call it about once a minute.
  void forget_idle(Monotonic now);
  std::size_t size() const { return lanes_.size(); }

 private:
  struct Place {
    Time run_at{};
    Uuid id{};
    auto operator<=>(const Place&) const = default;
  };
  struct Rank {
    int rank;
    Place seen;                          // the furthest that was claimed
    std::optional<Place> older, oldest;  // what it was one and two rotations ago
  };
  struct Lane {
    db::LaneName name;
    std::vector<Rank> ranks;          // ascending
    std::vector<db::LaneMark> marks;  // of those whose `oldest` is known
    int claimed = 0;                  // up to kWorthIt
    bool probed_whole = false;
    Monotonic rotated_at{};
    Monotonic whole_at{};  // when it is to be scanned whole again
    Monotonic used_at{};
  };

  bool has_marks(const Lane& lane) const;
  // The marks in force, or none when it is time to scan the whole lane.
  std::span<const db::LaneMark> marks(Lane& lane, Monotonic now);
  static void rotate(Lane& lane, Monotonic now);
  static void set_marks(Lane& lane);

  boost::unordered_flat_map<std::int64_t, Lane> lanes_;
  bool whole_asked_ = false;
  Monotonic::duration whole_took_{};
};

}  // namespace postern::scheduler
