// A database for one test, copied from a migrated template. It is never dropped, because the
// private server is deleted with its data, and dropping takes six times as long as making one,
// since the server writes a checkpoint first. Needs DATABASE_URL with a superuser of a private
// server; ctest starts one (tests/support/postgres.py).
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

// Makes an empty database without the schema, for tests of the migrator.
std::string make_empty_database();
db::PgConnection::Options server_options(const std::string& database, const std::string& role = {});

}  // namespace postern::test
