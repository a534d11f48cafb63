#include "fcgi/database.h"

namespace postern {

bool is_database_fault(const std::exception& fault) {
  const auto* error = dynamic_cast<const db::PgError*>(&fault);
  if (error == nullptr) return false;
  if (error->connection_lost()) return true;
  // Connection, transaction state (read-only), rollback, resources, locks, intervention, system.
  for (const char* passing : {"08", "25", "40", "53", "55", "57", "58"}) {
    if (error->sqlstate().starts_with(passing)) return true;
  }
  return false;
}

bool is_undone(const db::PgError& error) {
  // A serialization failure, a deadlock.
  return error.sqlstate() == "40001" || error.sqlstate() == "40P01";
}

db::Pool::Lease acquire_live(db::Pool& pool) {
  {
    auto lease = pool.acquire();
    // Twice: the first look takes in the server's farewell, the second sees the end.
    if ((*lease).consume() && (*lease).consume()) return lease;
  }
  return pool.acquire();
}

Error change_unknown() {
  return unavailable("outcome_unknown",
                     "Whether this was done is not known. Look before you try again.");
}

Error told_of(const std::exception& fault) {
  const auto& error = dynamic_cast<const db::PgError&>(fault);
  // Besides what was undone: a lock that was not to be had, a statement that took too long.
  if (is_undone(error) || error.sqlstate() == "55P03" || error.sqlstate() == "57014") {
    return unavailable("database_slow",
                       "The database is too busy to do this at the moment. Try again.");
  }
  return database_away();
}

Error database_away() {
  return unavailable("database_unavailable",
                     "The database cannot be reached at the moment. Try again.");
}

}  // namespace postern
