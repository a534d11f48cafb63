// What has outlived its use: expired keys and entries, dependencies of tasks that are gone,
// counters of programs that are gone. Statements for a Channel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/model/ids.h"
#include "db/pg/connection.h"

namespace postern::db {

// Forgets idempotency keys past their window, up to kKeysAtOnce at a time.
extern const Statement kExpireKeys;
constexpr int kKeysAtOnce = 10'000;
Params expire_keys_params(int most = kKeysAtOnce);
// Adds up the counters of instances without a row into one, of `most` rows behind a place, and
// removes the rows of instances silent for a day.
extern const Statement kFoldCounters;
struct CounterPlace {
  std::string tenant, queue, name;
  Uuid instance;
};
Params fold_counters_params(const CounterPlace& from, int most = 5000);
// nullopt: there are no more. The same below.
std::optional<CounterPlace> counters_behind(const PgResult& result);
// Ends the entries that waited longer than the max_age of their queue, up to `most` of ten times as
// many behind a place.
extern const Statement kExpireEntries;
struct EntryPlace {
  std::string tenant, queue;
  TaskId id;
};
Params expire_entries_params(const Uuid& instance, const EntryPlace& from, int most = 200);
struct ExpiredEntries {
  std::int64_t ended;
  std::optional<EntryPlace> behind;
};
ExpiredEntries expired_entries_from(const PgResult& result);
// Discards what queues with discard_old hold above a limit that was lowered: up to `most` tasks of
// 200 queues behind a place.
extern const Statement kDiscardSurplus;
struct QueuePlace {
  std::string tenant, queue;
};
Params discard_surplus_params(const Uuid& instance, const QueuePlace& from, int most = 200);
struct DiscardedSurplus {
  std::int64_t discarded;
  std::optional<QueuePlace> behind;
};
DiscardedSurplus discarded_surplus_from(const PgResult& result);
// Forgets tasks of tenants that have left this cell, once no URL of theirs may be used any more.
extern const Statement kForgetMoved;
Params forget_moved_params(int most = kKeysAtOnce);
// Forgets what tasks waited for that are gone, of `most` edges behind a place.
extern const Statement kForgetDependencies;
struct DependencyPlace {
  Uuid depends_on, task;
};
Params forget_dependencies_params(const DependencyPlace& from, int most = 2000);
std::optional<DependencyPlace> dependencies_behind(const PgResult& result);

}  // namespace postern::db
