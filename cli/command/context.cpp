#include "cli/command/context.h"

#include <fmt/format.h>

#include "cli/command/ending.h"
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
