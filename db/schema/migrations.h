// Migrations: the schema that is embedded in the program (db/schema/), its application to a
// database, and the checks that a program makes of its database at start.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/pg/connection.h"

namespace postern::db {

// One file of db/schema/. The files of tables/ are numbered and applied once, in order. Those of
// functions/ are applied again whenever their text has changed. "roles", "database" and "grants"
// are applied at every migration. A line "-- min_program: 0.2.0" names the oldest program that
// works with the file; without it every program does.
struct SchemaFile {
  std::string name;  // without ".sql": "roles", "database", "tables/0001_catalog",
                     // "functions/allow", "grants"
  std::string sql;
};

struct Schema {
  std::vector<SchemaFile> files;  // in the order in which they are applied
  int release;                    // the program's release, see release_number
};

// The schema embedded in this program. The build generates it.
const Schema& embedded_schema();

// "1.2.3" -> 1002003. Throws std::invalid_argument for a text that is no version.
int release_number(std::string_view version);
std::string release_text(int number);

struct Migrated {
  std::vector<std::string> applied;  // tables and functions, by name
  // A newer program has migrated this database, so nothing was changed.
  std::optional<int> newer_release;
};

// Applies the files that are missing or have changed, under an advisory lock, so that any number of
// migrators may run at once. Each numbered file is a transaction of its own; the functions and
// grants share one. Takes nothing from anybody else who uses the database. Throws PgError, which
// says the statement that is missing where the connection's role may not do something; the
// transaction under way is then rolled back.
// `every_function`: applies those as well whose text has not changed, for one that was changed by
// hand.
Migrated migrate(PgConnection& connection, const Schema& schema = embedded_schema(),
                 bool every_function = false);

// The roles alone, in any database of the cluster: a dump can be restored once they are there.
// Throws PgError, as `migrate` does.
void make_roles(PgConnection& connection, const Schema& schema = embedded_schema());

// Takes the rights of PUBLIC from the database, and gives the roles theirs. Throws PgError when it
// holds tables that are not Postern's, or the connection's role does not own it. REQUIRES:
// migrated.
void tighten_database(PgConnection& connection);

// Applies roles, all functions and grants within the caller's transaction, whatever has been
// applied before; records nothing. False, and nothing is done: a newer program has migrated this
// database.
bool reapply(PgConnection& connection, const Schema& schema);

struct FileStatus {
  enum class State { applied, changed, missing };
  std::string name;
  State state;
};
// The status in the database of each file of `schema` that holds tables or functions. In an empty
// database all are missing.
std::vector<FileStatus> schema_status(PgConnection& connection,
                                      const Schema& schema = embedded_schema());

bool schema_exists(PgConnection& connection);

// nullopt when this program works with the database's schema; else a sentence that says which of
// the two is too old and what to do. A newer schema is accepted as long as no min_program is above
// `schema.release`, so that programs N-1 and N can run side by side.
std::optional<std::string> schema_misfit(PgConnection& connection,
                                         const Schema& schema = embedded_schema());

// nullopt when the server's settings make acknowledged commits durable; else a sentence naming the
// setting (fsync, full_page_writes, synchronous_commit) that does not.
std::optional<std::string> unsafe_durability(PgConnection& connection);

}  // namespace postern::db
