// The database, its roles and its schema.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "cli/setup/passwords.h"
#include "cli/setup/step.h"
#include "core/program/database_password.h"
#include "db/pg/login.h"
#include "db/schema/migrations.h"
#include "db/schema/roles.h"

namespace postern::admin::setup {
namespace {

bool is_superuser(db::PgConnection& connection) {
  return connection.exec({"", "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"})
      .boolean(0, 0);
}

// Asks a person at the terminal, once; empty: there is none, or libpq has the password.
std::string asked_password(const std::string& conninfo) {
  static std::optional<std::string> answer;
  if (answer) return *answer;
  const bool given = std::getenv("PGPASSWORD") != nullptr || std::getenv("PGPASSFILE") != nullptr ||
                     !db::conninfo_value(conninfo, "password").empty() ||
                     !db::conninfo_value(conninfo, "passfile").empty();
  const char* typed = given || isatty(STDIN_FILENO) == 0
                          ? nullptr
                          : getpass(fmt::format("Password of the PostgreSQL user {}: ",
                                                db::conninfo_value(conninfo, "user"))
                                        .c_str());
  answer = typed == nullptr ? "" : typed;
  return *answer;
}

// The servers that listen on sockets of Debian's folder, where the settings name none.
std::string other_servers(const std::string& conninfo) {
  const auto target = db::target_of(conninfo);
  if (!target.local || !db::conninfo_value(conninfo, "host").empty()) return "";
  std::string found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/var/run/postgresql", none)) {
    const auto port = entry.path().extension().string();
    if (entry.path().stem() != ".s.PGSQL" || port.ends_with("lock")) continue;
    found += fmt::format("{}--database 'port={} dbname=postern'", found.empty() ? "" : " or ",
                         port.substr(1));
  }
  return found.empty()
             ? " No PostgreSQL listens in /var/run/postgresql: install postgresql, or name "
               "another host with --database 'host=... user=... dbname=postern'"
             : " Servers of this host: " + found;
}

Step roles(Plan& plan) {
  const auto connection = [&plan] {
    auto maintenance = plan.maintenance();
    return maintenance ? std::move(*maintenance) : plan.connect();
  };
  return {"roles",
          [connection] {
            auto admin = connection();
            const auto missing = db::missing_roles(admin);
            return missing.empty() ? done("all six are there")
                                   : open(fmt::format("make {}", fmt::join(missing, ", ")));
          },
          [&plan, connection] {
            auto admin = connection();
            const auto missing = db::missing_roles(admin);
            db::make_roles(admin);
            plan.made_roles = missing;
            return std::string(
                "made them; postern_migrator may change Postern's schema, and none "
                "has more rights than its work needs");
          },
          "DROP OWNED BY postern_owner (in each database), then DROP ROLE postern_api, "
          "postern_scheduler, postern_operator, postern_enqueue, postern_migrator, postern_owner"};
}

Step database(Plan& plan) {
  const auto name = plan.database_name();
  return {"database",
          [&plan, name] {
            if (plan.database_exists()) return done(name + " is there");
            return open(fmt::format("make the database {}, for Postern alone", name));
          },
          [&plan, name] {
            auto admin = plan.maintenance();
            if (!admin) {
              throw std::runtime_error(fmt::format(
                  "there is no database {0}, and no other to connect to. Make it: CREATE DATABASE "
                  "{0}",
                  name));
            }
            const auto quoted = std::string(
                admin->exec({"", "SELECT quote_ident($1)"}, db::Params().text(name)).text(0, 0));
            // Who is no superuser can give it to nobody, and keeps it.
            admin->script("CREATE DATABASE " + quoted +
                          (is_superuser(*admin) ? " OWNER postern_migrator" : ""));
            plan.made_database = true;
            return "made " + name;
          },
          "DROP DATABASE " + name + ", if setup made it; else DROP SCHEMA postern CASCADE in it"};
}

Step schema(Plan& plan) {
  return {"schema",
          [&plan] {
            if (!plan.database_exists()) return open("make the schema postern in it");
            auto admin = plan.connect();
            if (!db::schema_exists(admin)) {
              return open("make the schema postern in it; nothing else there is touched");
            }
            const auto misfit = db::schema_misfit(admin);
            return misfit ? open("migrate: " + *misfit) : done("it fits this program");
          },
          [&plan] {
            auto admin = plan.connect();
            const auto migrated = db::migrate(admin);
            if (plan.made_database) db::tighten_database(admin);
            if (migrated.newer_release) throw std::runtime_error(*db::schema_misfit(admin));
            return fmt::format("applied {} files{}", migrated.applied.size(),
                               plan.made_database ? ", and closed the database to others"
                                                  : "; nothing else of the database is touched");
          },
          "DROP SCHEMA postern CASCADE: it takes all tasks with it"};
}

}  // namespace

bool Plan::local() const { return db::target_of(context->settings.database).local; }

std::string Plan::database_name() const {
  const auto name = db::conninfo_value(context->settings.database, "dbname");
  return name.empty() ? "postern" : name;
}

db::PgConnection Plan::connect(const std::string& database) const {
  const auto& given = context->settings.database;
  const bool named = !db::target_of(given).user.empty();
  const std::string role = local() ? "postgres" : kMigrator;
  std::string password;
  if (!admin_password_file.empty()) {
    password = read_password(admin_password_file, "--admin-password-file");
  } else if (!named) {
    password = stored_password(*this, role);
  } else if (!local()) {
    password = asked_password(given);
  }
  const db::PgConnection::Options options(
      {.conninfo =
           db::conninfo_with(given, {{"dbname", database.empty() ? database_name() : database}}),
       .program = "postern setup",
       .prepare = false,
       .session = db::command_session(),
       .login = role,
       .password = password,
       .primary = context->primary()});
  try {
    return db::PgConnection::connect(options);
  } catch (const db::PgError& error) {
    throw db::PgError(error.what() + other_servers(given), error.sqlstate(), true);
  }
}

std::optional<db::PgConnection> Plan::maintenance() const {
  try {
    return connect("postgres");
  } catch (const db::PgError&) {
    return std::nullopt;
  }
}

bool Plan::database_exists() const {
  if (auto admin = maintenance()) {
    return admin
               ->exec({"", "SELECT FROM pg_database WHERE datname = $1"},
                      db::Params().text(database_name()))
               .rows() > 0;
  }
  connect();  // throws what is wrong
  return true;
}

std::vector<Step> database_steps(Plan& plan) {
  std::vector<Step> out{roles(plan), database(plan), schema(plan)};
  if (!plan.local()) {
    out.push_back(passwords(plan));
    out.push_back(drop_ins(plan));
  }
  return out;
}

}  // namespace postern::admin::setup
