// Tick: due tasks are promoted, and what there is to do is looked up. For a Channel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/time/time.h"
#include "db/engine/lane_scan.h"
#include "db/pg/connection.h"

namespace postern::db {

// A lane that the caller knows well; see LaneMark.
struct MarkedLane {
  std::int64_t lane;
  std::span<const LaneMark> marks;  // empty: it is looked at from its first task on
};

constexpr int kManyLanes = 20'000;

// What one tick may do and where it looks.
struct TickScope {
  int limit;  // of promotions
  // Ascending. These lanes are looked at behind their marks alone.
  std::span<const MarkedLane> known = {};
  // Of the unknown lanes in each gap between these it finds so many, and says where it stopped:
  // with these places, ascending, as `from` the next one goes on there.
  int lanes = kManyLanes;
  std::span<const std::int64_t> from = {};
};

// Promotes due tasks (delayed -> ready) and looks around. One statement a second when idle.
extern const Statement kTick;
Params tick_params(const TickScope& scope);
struct Tick {
  std::vector<std::int64_t> ready_lanes;
  std::vector<std::int64_t> stopped_at;  // ascending
  struct Promoted {
    std::int64_t lane;
    Time run_at;  // of the first
  };
  std::vector<Promoted> promoted_lanes;
  int promoted = 0;                      // as many as the limit: there may be more
  std::optional<Milliseconds> next_due;  // until the next delayed task; nullopt: there is none
  bool unrouted = false;                 // tasks came in by the SQL door
  bool sequels = false;                  // something follows from a task's end
  std::optional<Milliseconds> next_occurrence;  // of a schedule; nullopt: there is none
};
Tick tick_from(const PgResult& result);

}  // namespace postern::db
