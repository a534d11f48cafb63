// The rows of lanes: what a lane's id stands for, for people. The schedulers keep them, since they
// know what they claim; nothing else depends on them. Statements for a Channel.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "db/pg/connection.h"

namespace postern::db {

struct LaneRow {
  std::int64_t id;
  std::string tenant, queue, target;
};

// Notes that these lanes are in use: makes the rows that are missing and moves `used_at`, which is
// kept to the hour, so that a busy lane is written once an hour.
extern const Statement kNoteLanes;
Params note_lanes_params(std::span<const LaneRow> lanes);

// Removes the rows of lanes that were not used for a day and have no ready task, of 5,000 behind a
// place.
extern const Statement kCollectLanes;
struct LanePlace {
  std::int64_t id = std::numeric_limits<std::int64_t>::min();
};
Params collect_lanes_params(const LanePlace& from);
// nullopt: there are no more.
std::optional<LanePlace> lanes_behind(const PgResult& result);

}  // namespace postern::db
