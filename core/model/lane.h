// Lanes: the unit of fairness. One per (tenant, queue, target), where the target is the host a task
// goes to, or the endpoint it names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/task.h"

namespace postern {

// "host[:port]" of the task's URL, or "endpoint:" and the name. REQUIRES: the URL is canonical.
std::string lane_target(const TaskSpec& task);

// "host[:port]" of any URL, without a name and a password, for logs; empty: there is none.
std::string_view host_of(std::string_view url);

// The lane's id, a hash of what it stands for: whoever makes a task knows it without asking the
// database, and a task never depends on the lane's row, which only tells people what the id means.
// Its first 24 bits are the tenant's, so that a tenant's lanes stand together, and are known for
// its own before anything was read of them. Two lanes of a tenant with the same id (one chance in
// 2^40 for a pair) would merely share their turns, and so would two tenants.
std::int64_t lane_id(std::string_view tenant, std::string_view queue, std::string_view target);

// The first 24 bits of a lane's id.
using LaneTenant = std::uint32_t;
LaneTenant lane_tenant(std::int64_t lane);
// The last id that a lane of the same tenant can have.
std::int64_t last_lane_of_tenant(std::int64_t lane);

}  // namespace postern
