// Lanes from which some scheduler takes less than it could, because of what their receivers answer.
// Blocks; throws PgError when the database does not play along.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/catalog/schedulers.h"
#include "db/pg/connection.h"

namespace postern::db {

struct PacedLane {
  std::string tenant, queue, target;
  std::string state;  // "open", "half_open" or "throttled"
};

constexpr int kMostPacedLanes = 1000;

// Those that `schedulers` hold back, by tenant, queue and target; of one tenant, when `tenant` is
// not empty. Several schedulers may see the same lane, and differ. The first kMostPacedLanes.
std::vector<PacedLane> paced_lanes(PgConnection& connection,
                                   const std::vector<SchedulerNumbers>& schedulers,
                                   std::string_view tenant = {});

// Those whose breakers are open, so that nothing goes to their receivers.
std::vector<PacedLane> open_breakers(const std::vector<PacedLane>& lanes);

}  // namespace postern::db
