// The password for PostgreSQL: a file that only its user can read, and never a part of a command
// line, of the environment or of a log.
#pragma once

#include <string>
#include <string_view>

#include "core/program/config.h"

namespace postern {

// Where an administrator's credentials are; root alone can read it.
inline constexpr std::string_view kCredentials = "/etc/postern/credentials";
// A file of that folder, and of systemd's $CREDENTIALS_DIRECTORY.
inline constexpr std::string_view kDatabasePassword = "database-password";

// The file that a program which connects as `role` reads: what the setting names; else the
// credential "database-password", or "database-password.ROLE", of $CREDENTIALS_DIRECTORY; else, for
// the command of root, that of /etc/postern/credentials. Empty: there is none.
std::string database_password_file(const Settings& settings, Program program,
                                   std::string_view role);

// The first line of `file`, which the option `name` has named. Throws std::runtime_error when it
// cannot be read, is empty, or can be read by others.
std::string read_password(const std::string& file, std::string_view name);

// The password, the file's first line; empty: there is no such file. Throws std::runtime_error when
// a file cannot be read, is empty, or can be read by others.
std::string read_database_password(const Settings& settings, Program program,
                                   std::string_view role);

}  // namespace postern
