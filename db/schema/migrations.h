// The schema inside this program (db/schema/), how it gets into a database, and what a program asks
// of the database it finds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/pg/connection.h"

namespace postern::db {

// One file of db/schema/. Those of tables/ are numbered and applied once, in order. Those of
// functions/ hold the present text of functions and are applied again when it changed. "roles" and
// "grants" are applied at every migrate. A line "-- min_program: 0.2.0" names the oldest program
// that can live with the file; without one every program can.
struct SchemaFile {
  std::string name;  // without ".sql": "roles", "tables/0001_catalog", "functions/allow", "grants"
  std::string sql;
};

struct Schema {
  std::vector<SchemaFile> files;  // in the order in which they are applied
  int release;                    // of the program that carries them: see release_number
};

// What this program carries. Generated at build.
const Schema& embedded_schema();

// "1.2.3" -> 1002003. Throws std::invalid_argument when it is no version.
int release_number(std::string_view version);
std::string release_text(int number);

struct Migrated {
  std::vector<std::string> applied;  // tables and functions, by name
  // A newer program has migrated this database, so nothing was changed.
  std::optional<int> newer_release;
};

// Applies what is missing or has changed, under an advisory lock: any number of migrators may run
// at once. Each numbered file is a transaction of its own; the functions and grants are one. Needs
// a superuser, or a role with CREATEROLE that owns the database. Throws PgError; then the
// transaction under way has left nothing behind.
Migrated migrate(PgConnection& connection, const Schema& schema = embedded_schema());

// Applies roles, all functions and grants within the caller's transaction, whatever has been applied
// before; records nothing. False, and nothing is done: a newer program has migrated this database.
bool reapply(PgConnection& connection, const Schema& schema);

struct FileStatus {
  enum class State { applied, changed, missing };
  std::string name;
  State state;
};
// How the database's tables and functions compare to `schema`. An empty database lacks them all.
std::vector<FileStatus> schema_status(PgConnection& connection,
                                      const Schema& schema = embedded_schema());

// nullopt when this program can live with the database's schema; else one sentence that says which
// of the two is too old and what to do. What a newer program has applied is fine as long as no
// min_program is above `schema.release`, so that programs N-1 and N run side by side.
std::optional<std::string> schema_misfit(PgConnection& connection,
                                         const Schema& schema = embedded_schema());

// nullopt when the server keeps what it acknowledges; else one sentence naming the setting (fsync,
// full_page_writes, synchronous_commit) that does not.
std::optional<std::string> unsafe_durability(PgConnection& connection);

}  // namespace postern::db
