// A database of its own for one test: made from a migrated template, dropped with the fixture.
// Needs POSTERN_TEST_DATABASE, the connection string of a superuser on a private server; ctest
// starts one.
#pragma once

#include <string>

#include "db/pg/connection.h"

namespace postern::test {

class Database {
 public:
  Database();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Options to connect to it as `role`; empty: the superuser.
  db::PgConnection::Options options(const std::string& role = {}) const;
  db::PgConnection connect(const std::string& role = {}) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// An empty database without the schema, for tests of the migrator itself.
std::string make_empty_database();
void drop_database(const std::string& name);
db::PgConnection::Options server_options(const std::string& database, const std::string& role = {});

}  // namespace postern::test
