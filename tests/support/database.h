// A database of its own for one test, made from a migrated template. It stays until the server goes
// away with its data: to drop one takes six times as long as to make it, since the server first
// writes a checkpoint. Needs DATABASE_URL, the address of a private server's superuser; ctest
// starts one (tests/support/postgres.py).
#pragma once

#include <string>

#include "db/pg/connection.h"

namespace postern::test {

class Database {
 public:
  Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Options to connect to it as `role`, with the session of the program that has it; empty: the
  // superuser.
  db::PgConnection::Options options(const std::string& role = {}) const;
  db::PgConnection connect(const std::string& role = {}) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// An empty database without the schema, for tests of the migrator itself.
std::string make_empty_database();
db::PgConnection::Options server_options(const std::string& database, const std::string& role = {});

}  // namespace postern::test
