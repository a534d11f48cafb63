// Rescue: the active tasks of schedulers that died. For a Channel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/uuid.h"
#include "db/engine/claim.h"
#include "db/pg/connection.h"

namespace postern::db {

// One that has not beaten for long, and the beat it was seen at.
struct SilentInstance {
  Uuid id;
  std::int64_t beat;
  bool operator==(const SilentInstance&) const = default;
};

// Active tasks whose instance is one of `dead` that has not beaten since, or has no row, or whose
// lease ran out; without bodies. One look goes over 2,000 leases behind `from` in the order of
// their tasks, and returns up to 500 of them, and as many deferred ones that ran out, wherever they
// are. Leases that ran out and have no task any more are forgotten.
extern const BuiltStatement kOrphans;
Params orphans_params(std::span<const SilentInstance> dead, const TaskId& from);
struct Orphan {
  Claimed task;
  Uuid instance;
  bool instance_gone = false;  // dead, or without a row; false: only the lease ran out
};
struct Orphans {
  std::vector<Orphan> tasks;
  std::optional<TaskId> next;  // from where to go on; nullopt: there are no more leases
};
Orphans orphans_from(const PgResult& result);

}  // namespace postern::db
