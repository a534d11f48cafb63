// Tasks of claims whose answer was lost. Statements for a Channel.
#pragma once

#include <span>
#include <vector>

#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

// The active tasks that this instance claimed under one of these leases, up to 500.
extern const Statement kLostClaims;
Params lost_claims_params(const Uuid& instance, std::span<const Uuid> leases);
struct LostClaim {
  TaskId id;
  Uuid lease;
};
std::vector<LostClaim> lost_claims_from(const PgResult& result);

}  // namespace postern::db
