// Everything that is paused. Blocks; throws PgError when the database does not play
// along.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
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

// Of all tenants, or of one when `tenant` is not empty.
Pauses pauses(PgConnection& connection, std::string_view tenant = {});

}  // namespace postern::db
