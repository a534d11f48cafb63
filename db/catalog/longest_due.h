// What waits longest although it is due. Blocks; throws PgError when the database does not play
// along.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/pg/connection.h"

namespace postern::db {

struct LongestDue {
  std::string tenant, queue;
  double seconds;  // since the start of its ready task that waits longest
};

// By the gauges, seconds ago: of all tenants, or of one when `tenant` is not empty. nullopt: no
// task is due.
std::optional<LongestDue> longest_due(PgConnection& connection, std::string_view tenant = {});

}  // namespace postern::db
