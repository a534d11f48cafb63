// The copy of a tenant's rows in chunks, while all runs at the source. What changes there meanwhile
// is noted, and copied again later (changes.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "db/move/sections.h"

namespace postern::db {

// Copies what is not copied yet; how far it has come is committed at the target with each chunk of
// at most 5,000 rows and about 8 MiB. `told` is called after each chunk with the section and the
// rows so far. REQUIRES: the source notes changes. Throws PgError and MoveRefused; may then be
// called again, on new connections if need be.
void copy_sections(Ends& ends, const Uuid& id,
                   const std::function<void(const std::string&, std::int64_t)>& told);

// The minute up to which those of series are copied so: a while before this move began.
std::string minutes_before(PgConnection& source, const std::string& tenant);

// The attempts under way of the tasks that `tasks` selects.
std::int64_t copy_leases(Ends& ends, const std::string& tasks);
// What the live, or finished, tasks that `tasks` selects wait for, or would if they were retried.
// What is there already stays.
void copy_edges(Ends& ends, const std::string& tasks, bool live);

}  // namespace postern::db
