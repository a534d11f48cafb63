// What is left behind: at the source once the tenant has moved, at the target once its arrival was
// undone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "db/move/ends.h"

namespace postern::db {

// Deletes the rows of a tenant that moved() or whose arrival was undone, in chunks with a rest as
// long as half of what each has taken, so that others are not held up. Which of the tasks of a
// tenant that moved may still be asked for by URLs that were given out is noted with that, so that
// the old cell goes on saying where they are. `told`: the rows so far.
std::int64_t delete_remains(PgConnection& connection, const std::string& tenant,
                            const std::function<void(std::int64_t)>& told);

// At the target, behind delete_remains: the tenant is as it was before.
void leave_target(PgConnection& target, const std::string& tenant, const Uuid& id);

}  // namespace postern::db
