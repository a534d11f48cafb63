#include "fcgi/api/status.h"

#include <array>
#include <exception>

#include "core/program/log.h"
#include "db/catalog/queue_defaults.h"
#include "db/schema/migrations.h"
#include "fcgi/intake/intake.h"
#include "fcgi/server/db_access.h"

namespace postern {

db::Totals StatusApi::totals(const Caller& caller) {
  return read_from(reads_, [&](auto& connection) { return db::totals(connection, caller.tenant); });
}

Readiness StatusApi::readiness() {
  Readiness ready;
  try {
    read_from(vital_, [&](auto& connection) {
      const std::array<TaskId, 1> nobody{};
      db::glance(connection, nobody);
      ready.tasks = intake_.connected();
      db::queue_defaults(connection, kDefaultTenant, kDefaultTenant);
      ready.config = !db::schema_misfit(connection);
      ready.schedulers = db::schedulers_heard(connection);
    });
    ready.ready = ready.tasks && ready.config && (ready.schedulers->up > 0 || !needs_scheduler_);
  } catch (const std::exception& error) {
    log::debug("not ready error=\"{}\"", log_safe(error.what()));
  }
  return ready;
}

}  // namespace postern
