// What `postern doctor` looks at besides the database itself (db/health/), by topic.
#pragma once

#include "cli/command/context.h"
#include "db/health/check.h"

namespace postern::admin::doctor {

// Each in the order in which they are shown. `context` must outlive them.
db::health::Checks connection_checks(const Context& context);  // with rights of their own
db::health::Checks host_checks(const Context& context);        // this host's clock and files

}  // namespace postern::admin::doctor
