// What has outlived its use: expired keys and entries, dependencies of tasks that are gone,
// counters of programs that are gone. Statements for a Channel.
#pragma once

#include <cstdint>

#include "db/pg/connection.h"

namespace postern::db {

// Forgets idempotency keys past their window, up to kKeysAtOnce at a time.
extern const Statement kExpireKeys;
constexpr std::int64_t kKeysAtOnce = 10'000;
// Adds up the counters of instances without a row into one, and removes the rows of instances
// silent for a day.
extern const Statement kFoldCounters;
// Ends, up to 500 of each queue, the entries that waited longer than its max_age. Parameters: the
// instance. Returns how many.
extern const Statement kExpireEntries;
// Forgets what tasks waited for that are gone.
extern const Statement kForgetDependencies;

}  // namespace postern::db
