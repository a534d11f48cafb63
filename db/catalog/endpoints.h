// Endpoints in SQL: what the API does with them, and what schedulers tell about their health. Each
// function names the tenant; all block and throw PgError, as in tasks.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/endpoint.h"
#include "core/model/histogram.h"
#include "core/model/ids.h"
#include "db/pg/connection.h"

namespace postern::db {

enum class EndpointMade { yes, name_taken, no_tenant };

// What is not said gets its default. REQUIRES, here and below: `settings` passed check_endpoint;
// these two need a url.
EndpointMade make_endpoint(PgConnection& connection, std::string_view tenant, std::string_view name,
                           const EndpointSettings& settings);
// Makes it, or gives one that is there these settings and defaults for what is not said; but its
// pause stays unless that is said, and its secret always. True: it was made. nullopt: no tenant.
std::optional<bool> put_endpoint(PgConnection& connection, std::string_view tenant,
                                 std::string_view name, const EndpointSettings& settings);
// Changes what is said. A secret can only be taken away. False, here and below: there is none.
bool change_endpoint(PgConnection& connection, std::string_view tenant, std::string_view name,
                     const EndpointSettings& settings);
bool delete_endpoint(PgConnection& connection, std::string_view tenant, std::string_view name);

std::optional<Endpoint> get_endpoint(PgConnection& connection, std::string_view tenant,
                                     std::string_view name);
// By name, up to `limit` that come after `after`.
std::vector<Endpoint> list_endpoints(PgConnection& connection, std::string_view tenant,
                                     const std::optional<std::string>& after, int limit);

// Makes `secret` the endpoint's own; what signed until now, the tenant's secret if it had none,
// signs too for `overlap`. False: an earlier rotation's overlap still runs and `force` is not set,
// or there is no such endpoint.
bool rotate_endpoint_secret(PgConnection& connection, std::string_view tenant,
                            std::string_view name, std::string_view secret, Seconds overlap,
                            bool force);

// What came of the attempts of the last `window`, but none from before the endpoint was made.
struct HealthCounts {
  std::int64_t attempts = 0;
  std::int64_t failed = 0;
  Histogram durations{};
  std::int64_t in_flight = 0;      // attempts at it that are under way, up to kMostInFlight
  std::string breaker = "closed";  // the worst of its lanes, as the schedulers last told
};
constexpr int kMostInFlight = 100'000;
HealthCounts endpoint_health(PgConnection& connection, std::string_view tenant,
                             std::string_view name, Seconds window);

// The failed tasks whose last attempt went to this endpoint, or that had none and would go to it
// now, finished within [since, until); the oldest, up to `limit`. Not those that only another
// task's end made fail: they follow that.
std::vector<TaskId> failed_tasks_of(PgConnection& connection, std::string_view tenant,
                                    std::string_view name, Time since, std::optional<Time> until,
                                    int limit);
// Retries those of `tasks` that are still failed; returns how many. All or nothing.
std::int64_t retry_failed(PgConnection& connection, std::string_view tenant,
                          std::span<const TaskId> tasks, const Uuid& instance);

// --- what schedulers tell ---

// Under this name are all attempts of a tenant, also those without an endpoint. No endpoint can
// have it.
constexpr std::string_view kAnyEndpoint = "/all";

// The attempts at one endpoint that ended in one minute.
struct EndpointMinute {
  std::string tenant, endpoint;
  Time minute;
  std::int64_t attempts = 0;
  std::int64_t failed = 0;
  Histogram durations{};
};
// Adds them to what this instance has told before.
extern const Statement kAddEndpointMinutes;
Params endpoint_minutes_params(const Uuid& instance, std::span<const EndpointMinute> minutes);
// Forgets those older than a day, up to 200 of each of the 100 endpoints behind a place.
extern const Statement kExpireEndpointMinutes;
struct EndpointPlace {
  std::string tenant, endpoint;
};
Params expire_endpoint_minutes_params(const EndpointPlace& from);
// nullopt: there are no more.
std::optional<EndpointPlace> endpoints_behind(const PgResult& result);

}  // namespace postern::db
