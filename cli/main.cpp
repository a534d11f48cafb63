// `postern`, the operator's command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/program/database_password.h"
#include "db/pg/login.h"

namespace postern::admin {

db::PgConnection::Options Context::connection_options(bool need_writable, const char* role) const {
  const auto user = db::target_of(settings.database).user;
  return {.conninfo = settings.database,
          .program = "postern",
          .prepare = false,
          .need_writable = need_writable,
          .session = db::command_session(),
          .login = role,
          .password = read_database_password(settings, Program::admin, user.empty() ? role : user)};
}

db::PgConnection Context::connect(bool need_writable, const char* role) const {
  try {
    return db::PgConnection::connect(connection_options(need_writable, role));
  } catch (const db::PgError& error) {
    fail(fmt::format("cannot connect to the database: {}", error.what()), json);
  }
}

}  // namespace postern::admin

int main(int argc, char** argv) {
  using namespace postern;
  admin::Context context;
  CLI::App app{"postern: the operator's command of the HTTP task queue Postern", "postern"};
  app.require_subcommand(1);
  app.fallthrough();
  add_settings(app, context.settings, Program::admin);
  app.add_flag("--json", context.json, "print JSON, for programs");
  admin::Command command(app);
  admin::add_migrate(command, context);
  admin::add_key(command, context);
  admin::add_tenant(command, context);
  admin::add_secret(command, context);
  admin::add_queue(command, context);
  admin::add_endpoint(command, context);
  admin::add_schedule(command, context);
  admin::add_task(command, context);
  admin::add_pause(command, context);
  admin::add_doctor(command, context);
  admin::add_check(command, context);
  admin::add_verify(command, context);
  admin::add_listen(command, context);
  admin::add_manual(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const db::PgError& error) {
    admin::fail(fmt::format("the database refused: {}", error.what()), context.json);
  } catch (const std::exception& error) {
    admin::fail(error.what(), context.json);
  }
}
