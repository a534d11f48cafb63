// The dialects that the tables admit.
#pragma once

#include "db/pg/connection.h"

namespace postern::db {

// Lets tasks be of every dialect this program knows: widens the CHECK of the task table when it
// lacks one. Those that a newer program added stay. REQUIRES: a transaction, as the owner.
void admit_dialects(PgConnection& connection);

}  // namespace postern::db
