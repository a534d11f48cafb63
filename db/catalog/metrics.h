// What the counters and gauges say, added up over all instances: for /metrics, /v1/stats and
// `postern check`. Nothing in here counts rows of tasks. Blocks; throws PgError when the database
// does not play along.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time/time.h"
#include "db/catalog/paced_lanes.h"
#include "db/catalog/pauses.h"
#include "db/catalog/schedulers.h"
#include "db/pg/connection.h"

namespace postern::db {

// Since the beginning of the database. A task that was retried by hand ends more than once.
struct Counts {
  std::int64_t created = 0;
  std::int64_t deleted = 0;
  std::int64_t retried = 0;
  std::int64_t completed = 0, failed = 0, cancelled = 0;      // ends of tasks
  std::int64_t succeeded = 0, failed_attempts = 0, lost = 0;  // ends of attempts
  std::int64_t egress_blocked = 0;
  std::int64_t corrupt_rows = 0;  // tasks that ended for what their rows hold
  std::int64_t schedule_missed = 0;
};

// As a scheduler last saw it, seconds ago.
struct Depth {
  bool known = false;  // otherwise no scheduler has looked since the queue's first task
  std::int64_t ready = 0, delayed = 0, active = 0, blocked = 0;
  bool estimated = false;          // `ready`, `active` and `blocked` are at least so many
  std::optional<Time> oldest_due;  // the start of the ready task that is due for the longest
};

struct QueueNumbers {
  std::string tenant, queue;
  Counts counts;
  Depth depth;
  bool paused = false;
};

// How many attempts took so long, by the buckets of core/model/histogram.h, each without the ones
// before it; the last is what took longer than all bounds.
struct Histogram {
  std::array<std::int64_t, 15> buckets{};
  std::int64_t sum_ms = 0;
};

struct Numbers {
  Time now;                                  // of the database
  Counts counts;                             // of all queues, also of those left out below
  std::vector<QueueNumbers> queues;          // by tenant and name
  std::int64_t queues_left_out = 0;          // those with the fewest tasks ever
  Histogram duration, lateness;              // of attempts; of all tenants
  std::vector<SchedulerNumbers> schedulers;  // by name
  std::vector<PacedLane> lanes;
  bool engine_paused = false;
  Pauses pauses;
};

// For how long the ready task that waits longest has been due at `now`; 0: none is.
double oldest_due_seconds(const Depth& depth, Time now);

// At most so many queues.
constexpr int kMostQueues = 1000;

// Of every tenant; or of one, when `tenant` is not empty: then without lanes and pauses.
Numbers numbers(PgConnection& connection, std::string_view tenant);

}  // namespace postern::db
