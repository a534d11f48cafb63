// What happened minute by minute, in a tenant, its queues or at its endpoints: rows that schedulers
// made from the counters (postern.count_minute) and from their attempts. Reads no task. Blocks, and
// throws PgError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

// nullopt: not known, as nobody counted then, or as this is not counted of such a thing.
struct MinuteNumbers {
  std::optional<std::int64_t> created, completed, failed, cancelled;  // tasks
  std::optional<std::int64_t> attempts, attempts_failed;              // that ended
  std::optional<std::int64_t> p95_ms;                                 // of those attempts
};

struct Series {
  std::optional<std::string> queue, endpoint;  // neither: the whole tenant
  std::vector<MinuteNumbers> minutes;          // oldest first
};

struct SeriesSet {
  Time since;  // the beginning of the first minute
  std::vector<Series> series;
};

constexpr int kMostMinutes = 180;
// So many endpoints of a tenant, by name, are compared for the busiest.
constexpr int kMostCompared = 1'000;

// The last `minutes` whole minutes of a tenant, of one of its queues or endpoints, or of the
// `limit` of them that were the busiest, those first. One of which nothing is known is a series of
// nothing known; or of zeros while it was counted that nothing happened.
SeriesSet series_of_tenant(PgConnection& connection, std::string_view tenant, int minutes);
SeriesSet series_of_queue(PgConnection& connection, std::string_view tenant, std::string_view queue,
                          int minutes);
SeriesSet series_of_endpoint(PgConnection& connection, std::string_view tenant,
                             std::string_view endpoint, int minutes);
SeriesSet series_by_queue(PgConnection& connection, std::string_view tenant, int minutes,
                          int limit);
SeriesSet series_by_endpoint(PgConnection& connection, std::string_view tenant, int minutes,
                             int limit);

}  // namespace postern::db
