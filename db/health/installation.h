// What there is of the whole installation: handlers, the database, partitions. Blocks; throws
// PgError when the database does not play along.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db::health {

// One that has not said goodbye.
struct HandlerNumbers {
  std::string name, version;
  Time since;
  double beat_age = 0;  // seconds
  bool up = false;      // has beaten within the last minute
};
constexpr int kMostHandlers = 1000;
std::vector<HandlerNumbers> handlers(PgConnection& connection);  // by name

struct DatabaseNumbers {
  std::string version;
  std::int64_t size_bytes = 0;  // of Postern's database
  std::int64_t connections = 0, max_connections = 0;
  std::int64_t transaction_ids_used = 0;  // by the oldest database of the cluster
  bool in_recovery = false;
};
DatabaseNumbers database_numbers(PgConnection& connection);

// One of the tables of finished tasks.
struct PartitionNumbers {
  std::string name;
  std::string retention;  // the class: "short" or "standard"
  std::optional<std::string> day =
      {};  // "2025-01-15"; nullopt: for what has no partition of its own
  std::int64_t rows_estimate = 0;
  std::int64_t bytes = 0;  // with its indexes
};
constexpr int kMostPartitions = 1000;
std::vector<PartitionNumbers> partitions(PgConnection& connection);  // by class, newest first

}  // namespace postern::db::health
