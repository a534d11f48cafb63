// Everything that is paused, of all tenants. Blocks; throws PgError when the database does not play
// along.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/pg/connection.h"

namespace postern::db {

struct Paused {
  std::string tenant, name;
};

// What is paused of one kind.
struct PausedThings {
  std::int64_t count = 0;
  std::vector<Paused> first;  // by tenant and name, kMostPaused at most
};

constexpr int kMostPaused = 1000;

struct Pauses {
  PausedThings queues;  // without the sandbox queue, which is always so
  PausedThings endpoints, schedules;
};

Pauses pauses(PgConnection& connection);

}  // namespace postern::db
