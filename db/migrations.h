// The migrations inside this program, and what it asks of a database's schema.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "db/pg.h"

namespace postern::db {

struct EmbeddedFile {
  const char* name;  // "roles", "0001_first", ..
  const char* sql;
};
// In order; "roles" first. Generated at build from db/migrations/.
const std::vector<EmbeddedFile>& embedded_migrations();

struct MigrationStatus {
  int number;
  std::string name;
  bool applied;
};

// The newest migration this program carries: the schema it was written for.
int schema_version();

// Makes the roles that are missing and applies what has not been applied, one transaction each,
// under an advisory lock: any number of migrators may run at once. `up_to`: the last to be applied,
// for tests of what comes after it. Returns the names applied by this call. Needs a superuser, or a
// role with CREATEROLE that owns the database.
std::vector<std::string> migrate(PgConnection& connection, int up_to = schema_version());

// What is applied and what waits.
std::vector<MigrationStatus> migration_status(PgConnection& connection);

// nullopt when this program can live with the database's schema; else one sentence that says which
// of the two is too old and what to do. A newer schema is fine as long as its newest `min_program`
// is not above ours, so that programs N-1 and N run side by side.
std::optional<std::string> schema_misfit(PgConnection& connection);

// nullopt when the server keeps what it acknowledges; else one sentence naming the setting (fsync,
// full_page_writes, synchronous_commit) that does not.
std::optional<std::string> unsafe_durability(PgConnection& connection);

}  // namespace postern::db
