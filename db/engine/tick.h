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

// Promotes up to `limit` due tasks (delayed -> ready) and looks around. One statement a second when
// idle.
extern const Statement kTick;
// `known` ascends: these lanes are looked at behind their marks alone.
Params tick_params(int limit, std::span<const MarkedLane> known);
struct Tick {
  std::vector<std::int64_t> ready_lanes;
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
