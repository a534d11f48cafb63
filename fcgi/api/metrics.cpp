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

db::SeriesSet MetricsApi::series(const Caller& caller, const SeriesScope& scope) {
  using Of = SeriesScope::Of;
  return read_from(pool_, [&](auto& connection) {
    const auto& tenant = caller.tenant;
    switch (scope.of) {
      case Of::queue: return db::series_of_queue(connection, tenant, scope.name, scope.minutes);
      case Of::endpoint:
        return db::series_of_endpoint(connection, tenant, scope.name, scope.minutes);
      case Of::by_queue: return db::series_by_queue(connection, tenant, scope.minutes, scope.limit);
      case Of::by_endpoint:
        return db::series_by_endpoint(connection, tenant, scope.minutes, scope.limit);
      case Of::tenant: break;
    }
    return db::series_of_tenant(connection, tenant, scope.minutes);
  });
}

db::Failures MetricsApi::failures(const Caller& caller, const db::FailureFilter& filter) {
  return read_from(
      pool_, [&](auto& connection) { return db::failures(connection, caller.tenant, filter); });
}

}  // namespace postern
