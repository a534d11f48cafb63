// The roles that db/schema/roles.sql makes. A program's system user and role have the same name.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "db/pg/connection.h"

namespace postern::db {

// Those that log in.
inline constexpr std::array kLoginRoles{"postern_migrator", "postern_api", "postern_scheduler",
                                        "postern_operator"};
// All: besides, the owner of Postern's objects and the role for applications, which do not.
inline constexpr std::array kRoles{"postern_owner",     "postern_migrator", "postern_api",
                                   "postern_scheduler", "postern_operator", "postern_enqueue"};

// Those who log in, or all, as a parameter of type text[].
Array login_roles();
Array all_roles();

// Those of kRoles that the cluster does not have, in that order. Blocks; throws PgError.
std::vector<std::string> missing_roles(PgConnection& connection);

}  // namespace postern::db
