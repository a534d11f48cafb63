// The scheduler's periodic duties in SQL: heartbeat, partitions, expiry. Statements for a Channel.
#pragma once

#include <string>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

// Beats for this instance (making its row the first time) and returns every scheduler's.
extern const Statement kBeat;
Params beat_params(const Uuid& id, std::string_view name, std::string_view gauges_json);
struct Heartbeat {
  Uuid id;
  std::string name;
  std::int64_t beat;
};
std::vector<Heartbeat> beats_from(const PgResult& result);

// Takes this instance's row away: a clean stop, nothing to rescue.
extern const Statement kLeave;
Params leave_params(const Uuid& id);

// Makes the partitions for the days ahead. Parameters: retention class.
extern const Statement kMakePartitions;
// Drops one partition older than the class's retention. Returns its name, or NULL.
extern const Statement kDropPartition;
Params drop_partition_params(std::string_view retention_class, Seconds keep);

// Forgets idempotency keys past their window, up to 10,000 at a time.
extern const Statement kExpireKeys;
// Adds up the counters of instances without a row into one, and removes the rows of instances
// silent for a day.
extern const Statement kFoldCounters;
// Ends, up to 500 of each queue, the entries that waited longer than its max_age. Parameters: the
// instance. Returns how many.
extern const Statement kExpireEntries;
// Forgets what tasks waited for that are gone.
extern const Statement kForgetDependencies;
// Removes lanes not used for a day that hold no setting and have no live task.
extern const Statement kCollectLanes;

// A handler's row, made at its start and beaten by it while it runs. One that stops leaves its row
// to be folded, since its counters may still be on their way.
void beat_handler(PgConnection& connection, const Uuid& id, std::string_view name);

}  // namespace postern::db
