#include "tests/support/database.h"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "core/base/crypto.h"
#include "core/base/hex.h"
#include "db/schema/migrations.h"

namespace postern::test {
namespace {

db::PgConnection server() { return db::PgConnection::connect(server_options("postgres")); }

// The name of the migrated template; the first caller on the server makes it. Each set of
// migrations has its own.
std::string template_database() {
  std::string all;
  for (const auto& file : db::embedded_schema().files) all += file.sql;
  const auto name = "postern_template_" + to_hex(sha256(all)).substr(0, 12);
  auto connection = server();
  connection.exec({"", "SELECT pg_advisory_lock(7041777)"});
  if (connection.exec({"", "SELECT FROM pg_database WHERE datname = $1"}, db::Params().text(name))
          .rows() == 0) {
    // Made under another name and then renamed, so that an incomplete one is never used.
    const auto draft = name + "_draft";
    connection.script("DROP DATABASE IF EXISTS " + draft);
    connection.script("CREATE DATABASE " + draft);
    {
      auto inside = db::PgConnection::connect(server_options(draft));
      db::migrate(inside);
    }
    connection.script("ALTER DATABASE " + draft + " RENAME TO " + name);
  }
  connection.exec({"", "SELECT pg_advisory_unlock(7041777)"});
  return name;
}

std::string unique_name() { return "test_" + to_hex(sha256(random_base62(20))).substr(0, 16); }

}  // namespace

// tests/support/postgres.py gives a URL: postgresql:///postern?host=FOLDER&port=5432&user=postgres
db::PgConnection::Options server_options(const std::string& database, const std::string& role) {
  const char* given = std::getenv("DATABASE_URL");
  if (given == nullptr) {
    throw std::runtime_error("DATABASE_URL is not set: run this through tests/support/postgres.py");
  }
  std::string url = given;
  const auto from = url.find("///") + 3;
  url.replace(from, url.find('?') - from, database);
  // libpq uses the last of two equal parameters.
  if (!role.empty()) url += "&user=" + role;
  db::PgConnection::Options options{url, "postern-test"};
  if (role == "postern_api") options.session = db::handler_session();
  if (role == "postern_scheduler") options.session = db::scheduler_session();
  return options;
}

std::string make_empty_database() {
  auto name = unique_name();
  server().script("CREATE DATABASE " + name);
  return name;
}

Database::Database() : name_(unique_name()) {
  auto connection = server();
  connection.script(fmt::format("CREATE DATABASE {} TEMPLATE {}", name_, template_database()));
  // A copy of a database has none of the privileges that the migrator granted on the original.
  connection.script(
      fmt::format("REVOKE ALL ON DATABASE {0} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} "
                  "TO postern_api, postern_scheduler, postern_operator, postern_enqueue",
                  name_));
}

db::PgConnection::Options Database::options(const std::string& role) const {
  return server_options(name_, role);
}

db::PgConnection Database::connect(const std::string& role) const {
  return db::PgConnection::connect(options(role));
}

}  // namespace postern::test
