#include "db/migrations.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <set>

namespace postern::db {
namespace {

// The oldest program that can live with each migration. One that only adds is tolerated by the
// program before it; but a scheduler that does not know 0002 would claim past limits and pauses,
// and leave those waiting who wait for a task that it has settled; one that does not know 0003
// would end what is to be repeated or waits for a signal.
int min_program(int number) { return number <= 3 ? number : number - 1; }

int number_of(const EmbeddedFile& file) { return std::atoi(file.name); }

constexpr Statement kTableExists{"", "SELECT to_regclass('postern.migration') IS NOT NULL"};
constexpr Statement kApplied{"", "SELECT version FROM postern.migration"};

std::set<int> applied(PgConnection& connection) {
  std::set<int> out;
  if (!connection.exec(kTableExists).boolean(0, 0)) return out;
  const auto rows = connection.exec(kApplied);
  for (int i = 0; i < rows.rows(); ++i) out.insert(static_cast<int>(rows.integer(i, 0)));
  return out;
}

// Taken first in each transaction, and held to its end. The number is arbitrary; it means "Postern
// migrates".
constexpr Statement kLock{"", "SELECT pg_advisory_xact_lock(7041776)"};

constexpr Statement kRolesMissing{"", R"sql(
  SELECT count(*) < 4 FROM pg_roles
   WHERE rolname IN ('postern_owner', 'postern_api', 'postern_scheduler', 'postern_enqueue'))sql"};

// The schema and the table of migrations; idempotent.
constexpr char kFoundation[] = R"sql(
  DO $$
  BEGIN
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO postern_owner', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO postern_api, postern_scheduler, postern_enqueue',
                   current_database());
  END $$;
  SET LOCAL ROLE postern_owner;
  CREATE SCHEMA postern;
  CREATE TABLE postern.migration (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    min_program integer NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
  );
)sql";

constexpr Statement kRecord{
    "", "INSERT INTO postern.migration (version, name, min_program) VALUES ($1, $2, $3)"};

}  // namespace

int schema_version() { return number_of(embedded_migrations().back()); }

std::vector<std::string> migrate(PgConnection& connection, int up_to) {
  std::vector<std::string> done;
  for (const auto& file : embedded_migrations()) {
    Transaction transaction(connection);
    connection.exec(kLock);
    if (std::strcmp(file.name, "roles") == 0) {
      if (connection.exec(kRolesMissing).boolean(0, 0)) connection.script(file.sql);
      if (!connection.exec(kTableExists).boolean(0, 0)) connection.script(kFoundation);
    } else if (const int number = number_of(file);
               number <= up_to && !applied(connection).contains(number)) {
      connection.exec({"", "SET LOCAL ROLE postern_owner"});
      connection.exec(kRecord, Params().int4(number).text(file.name).int4(min_program(number)));
      connection.script(file.sql);
      done.emplace_back(file.name);
    }
    transaction.commit();
  }
  return done;
}

std::vector<MigrationStatus> migration_status(PgConnection& connection) {
  const auto have = applied(connection);
  std::vector<MigrationStatus> out;
  for (const auto& file : embedded_migrations()) {
    const int number = number_of(file);
    if (number > 0) out.push_back({number, file.name, have.contains(number)});
  }
  return out;
}

constexpr Statement kFit{"", "SELECT max(version), max(min_program) FROM postern.migration"};

std::optional<std::string> schema_misfit(PgConnection& connection) {
  if (!connection.exec(kTableExists).boolean(0, 0)) {
    return "this database holds no postern schema: run `postern migrate` first";
  }
  const auto row = connection.exec(kFit);
  const auto newest = row.integer_or_null(0, 0).value_or(0);
  const auto oldest_program = row.integer_or_null(0, 1).value_or(0);
  if (newest < schema_version()) {
    return fmt::format(
        "the database's schema ({}) is older than this program's ({}): run `postern migrate`",
        newest, schema_version());
  }
  if (oldest_program > schema_version()) {
    return fmt::format(
        "this program (schema {}) is too old for the database, whose schema {} needs {} or newer: "
        "upgrade Postern",
        schema_version(), newest, oldest_program);
  }
  return std::nullopt;
}

constexpr Statement kDurability{"", R"sql(
  SELECT name || ' = ' || setting FROM pg_settings
   WHERE (name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off') LIMIT 1)sql"};

std::optional<std::string> unsafe_durability(PgConnection& connection) {
  const auto row = connection.exec(kDurability);
  if (row.rows() == 0) return std::nullopt;
  return fmt::format(
      "PostgreSQL runs with {}, so it may lose what it has acknowledged: turn it on, or start with "
      "--unsafe-durability",
      row.text(0, 0));
}

}  // namespace postern::db
