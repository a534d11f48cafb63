// Tasks that came in by postern.enqueue, in somebody's own transaction: a scheduler checks and
// routes them. Statements for a Channel.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

// Locks nothing; up to `most` that have no lane yet, the oldest of each tenant. Tenants take turns,
// those behind `behind` first, up to twenty of them, of whom each has its share.
extern const BuiltStatement kUnrouted;
Params unrouted_params(std::string_view behind = {}, int most = 500);
std::vector<Task> unrouted_from(const PgResult& result);

struct Routing {
  TaskId id;
  std::int64_t lane = 0;
  std::string url;  // canonical
  std::string tenant, queue;
  // Not empty: what core refuses about it; it ends as failed with this as last_error.
  std::string invalid;
  Reason reason = Reason::invalid;  // of that end
};
// Makes queues, routes the tasks and counts them as created. Then the lanes have ready work. What
// is full by now ends instead: a queue with max_entries, or a tenant of which `quota_waiting` tasks
// wait (0: any number may). What is locked by somebody else is left for the next time.
extern const Statement kRoute;
Params route_params(const Uuid& instance, std::span<const Routing> batch, int quota_waiting = 0);
struct Routed {
  std::int64_t routed, ended;
};
Routed routed_from(const PgResult& result);

}  // namespace postern::db
