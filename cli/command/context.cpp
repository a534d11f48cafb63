#include "cli/command/context.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cli/command/ending.h"
#include "core/program/database_password.h"
#include "core/program/state_folder.h"
#include "db/pg/login.h"

namespace postern::admin {
const std::shared_ptr<db::Primary>& Context::primary() const {
  if (!primary_) {
    const auto tell = [](const std::string_view what, const std::string& sentence) {
      // What is refused comes as an error.
      if (what == "changed") complain(sentence);
    };
    primary_ = std::make_shared<db::Primary>(state_folders(settings), tell);
  }
  return primary_;
}

Context Context::with(Settings others) const {
  Context out = *this;
  out.settings = std::move(others);
  out.primary_.reset();
  out.other_ = true;
  return out;
}

db::PgConnection::Options Context::connection_options(bool need_writable, const char* role) const {
  const auto user = db::target_of(settings.database).user;
  return {.conninfo = settings.database,
          .program = "postern",
          .prepare = false,
          .need_writable = need_writable,
          .session = db::command_session(),
          .login = role,
          .password = read_database_password(settings, Program::admin, user.empty() ? role : user),
          .primary = need_writable ? primary() : nullptr};
}

db::PgConnection Context::connect(bool need_writable, const char* role) const {
  try {
    return db::PgConnection::connect(connection_options(need_writable, role));
  } catch (const db::PgError& error) {
    const std::string_view said = error.what();
    const bool missing = said.find(" does not exist") != said.npos;  // a role or the database
    fail(fmt::format("cannot connect to the database{}: {}{}{}",
                     settings.cell.empty() ? "" : " of the cell " + settings.cell, said,
                     missing ? "; `postern setup` makes what is missing" : "",
                     missing && other_ ? " there" : ""),
         json);
  }
}

db::PgConnection Context::reach() const {
  try {
    return db::PgConnection::connect(connection_options(true));
  } catch (const db::PgError& error) {
    throw db::PgError(fmt::format("the cell {}: {}", settings.cell, error.what()), error.sqlstate(),
                      error.connection_lost());
  }
}

}  // namespace postern::admin
