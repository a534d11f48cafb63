#include "fcgi/api/metrics.h"

#include <algorithm>
#include <chrono>

#include "fcgi/auth/caller.h"
#include "fcgi/server/db_access.h"

namespace postern {

db::Numbers MetricsApi::all() {
  return read_from(pool_, [](auto& connection) { return db::numbers(connection, ""); });
}

db::Numbers MetricsApi::stats(const Caller& caller) {
  return read_from(pool_, [&](auto& connection) { return db::numbers(connection, caller.tenant); });
}

double oldest_due_seconds(const db::Depth& depth, Time now) {
  if (!depth.oldest_due) return 0;
  return std::max(0.0, std::chrono::duration<double>(now - *depth.oldest_due).count());
}

}  // namespace postern
