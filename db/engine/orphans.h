// Rescue: the active tasks of schedulers that died. For a Channel.
#pragma once

#include <span>
#include <vector>

#include "core/base/uuid.h"
#include "db/engine/claim.h"
#include "db/pg/connection.h"

namespace postern::db {

// Active tasks whose instance is in `dead` or has no row, or whose lease ran out; up to 500,
// without bodies.
extern const BuiltStatement kOrphans;
Params orphans_params(std::span<const Uuid> dead);
struct Orphan {
  Claimed task;
  Uuid instance;
  bool instance_gone;  // dead, or without a row; false: only the lease ran out
};
std::vector<Orphan> orphans_from(const PgResult& result);

}  // namespace postern::db
