#include "fcgi/api/metrics.h"

#include "fcgi/auth/caller.h"
#include "fcgi/server/db_access.h"

namespace postern {

std::shared_ptr<const db::Numbers> MetricsApi::all() {
  return all_.get([this] {
    return read_from(pool_, [](auto& connection) { return db::numbers(connection, ""); });
  });
}

db::Numbers MetricsApi::stats(const Caller& caller) {
  return read_from(pool_, [&](auto& connection) { return db::numbers(connection, caller.tenant); });
}

}  // namespace postern
