#include "fcgi/server/db_access.h"

namespace postern {

bool is_database_fault(const std::exception& fault) {
  const auto* error = dynamic_cast<const db::PgError*>(&fault);
  return error != nullptr && (error->is_passing() || error->is_tenant_away());
}

bool is_tenant_away(const std::exception& fault) {
  const auto* error = dynamic_cast<const db::PgError*>(&fault);
  return error != nullptr && error->is_tenant_away();
}

db::Pool::Lease acquire_live(db::Pool& pool) {
  {
    auto lease = pool.acquire();
    // Twice: the first look takes in the server's farewell, the second sees the end.
    if ((*lease).consume() && (*lease).consume() && (*lease).alive()) return lease;
  }
  return pool.acquire();
}

Error change_unknown() {
  return unavailable("outcome_unknown",
                     "Whether this was done is not known. Look before you try again.");
}

Error told_of(const std::exception& fault) {
  const auto& error = dynamic_cast<const db::PgError&>(fault);
  if (dynamic_cast<const db::AllConnectionsBusy*>(&fault) != nullptr) {
    return unavailable("database_busy",
                       "All connections to the database are in use at the moment. Try again.");
  }
  if (error.is_tenant_away()) return tenant_moving();
  if (error.is_busy()) {
    return unavailable("database_slow",
                       "The database is too busy to do this at the moment. Try again.");
  }
  return database_away();
}

Error tenant_moving() {
  return unavailable(kTenantMoving,
                     "The tenant is on its way to another cell, which takes a moment. Try again.");
}

Error database_away() {
  return unavailable("database_unavailable",
                     "The database cannot be reached at the moment. Try again.");
}

}  // namespace postern
