// Tenants, for the commands that work on the host's database.
#pragma once

#include <string>

#include "cli/command/context.h"

namespace postern::admin {

// Ends the command when there is no such tenant.
void require_tenant(const Context& context, db::PgConnection& connection,
                    const std::string& tenant);
// And when it has moved to another cell, with a sentence that says where: what this cell still has
// of it is out of date.
void require_tenant_here(const Context& context, db::PgConnection& connection,
                         const std::string& tenant);

}  // namespace postern::admin
