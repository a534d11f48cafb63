// What the handlers' parts have in common about the database being away.
#pragma once

#include <exception>
#include <utility>

#include "core/base/error.h"
#include "db/pg/pool.h"
#include "fcgi/server/worker_gate.h"

namespace postern {

// Whether a caught exception means that the database is away or overloaded, or that it refuses a
// change of a tenant that leaves this cell: so that trying again helps.
bool is_database_fault(const std::exception& fault);

// Whether it is the last of these.
bool is_tenant_away(const std::exception& fault);

// What the client is told then: "database_slow" when the database is there and gave up, as for a
// lock, a deadlock or its time, so that nothing of the transaction was done; "database_busy" when
// the handlers have no connection to spare; tenant_moving(), when nothing was done either; else
// database_away().
// REQUIRES: is_database_fault.
Error told_of(const std::exception& fault);

// "database_unavailable".
Error database_away();

// Of a tenant that is on its way to another cell.
inline constexpr char kTenantMoving[] = "tenant_moving";
Error tenant_moving();

// Runs `ask` on a pooled connection, and once more on another when the first turns out to be dead,
// as idle ones are after the server was restarted. Only for what may be done twice. Throws what the
// second try throws.
template <class Ask>
auto read_from(db::Pool& pool, const Ask& ask) -> decltype(ask(std::declval<db::PgConnection&>())) {
  const BlockingSection away;
  try {
    auto connection = pool.acquire();
    return ask(*connection);
  } catch (const db::PgError& error) {
    if (!error.connection_lost()) throw;
  }
  auto connection = pool.acquire();
  return ask(*connection);
}

// What the client is told when the answer to a commit was not to be trusted.
Error change_unknown();

// A connection for what must not be done twice: one that was alive a moment ago, so that a server's
// restart is not taken for a failure under way.
db::Pool::Lease acquire_live(db::Pool& pool);

// Runs `ask`, in one transaction and once, for what changes something: what it returns, or
// change_unknown() when the commit may be lost. Again when it was surely undone. Throws what the
// database throws.
template <class Ask>
auto write_to(db::Pool& pool, const Ask& ask)
    -> Result<decltype(ask(std::declval<db::PgConnection&>()))> {
  const BlockingSection away;
  auto connection = acquire_live(pool);
  constexpr int kMaxTries = 3;
  for (int tries = 1;; ++tries) {
    try {
      auto done = ask(*connection);
      if ((*connection).take_unsure_commit()) return change_unknown();
      return done;
    } catch (const db::PgError& error) {
      if (tries == kMaxTries || !error.is_undone()) throw;
    }
  }
}

}  // namespace postern
