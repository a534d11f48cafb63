// Reads from the database that survive its restart.
#pragma once

#include <utility>

#include "db/pool.h"

namespace postern {

// Runs `ask` on a pooled connection, and once more on another when the first turns out to be dead, as idle ones are after
// the server was restarted. Only for what may be done twice. Throws what the second try throws.
template <class Ask>
auto read_from(db::Pool& pool, const Ask& ask) -> decltype(ask(std::declval<db::PgConnection&>())) {
  try {
    auto connection = pool.acquire();
    return ask(*connection);
  } catch (const db::PgError& error) {
    if (!error.connection_lost()) throw;
  }
  auto connection = pool.acquire();
  return ask(*connection);
}

}  // namespace postern
