// How much of each kind a tenant has, for the quotas. All of it blocks, and throws PgError.
#pragma once

#include <cstdint>
#include <string_view>

#include "db/pg/connection.h"

namespace postern::db {

enum class Quota { queues, endpoints, schedules };

// Whether making `name` would be one more than `most`. Reads no more rows than that. Two that ask
// at the same time may both hear that there is room.
bool is_over_quota(PgConnection& connection, Quota what, std::string_view tenant,
                   std::string_view name, int most);

// What a tenant's queues held when the schedulers last measured them.
struct TenantLoad {
  std::int64_t waiting = 0;  // tasks that are ready, delayed or blocked
  std::int64_t lanes = 0;    // with tasks that are ready
};
TenantLoad tenant_load(PgConnection& connection, std::string_view tenant);

// Whether a task in this lane is ready.
bool is_lane_in_use(PgConnection& connection, std::int64_t lane);

}  // namespace postern::db
