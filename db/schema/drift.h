// What a database has become since it was migrated: by hand, by a restore, by another cluster's
// roles.
#pragma once

#include <string>
#include <vector>

#include "db/schema/migrations.h"

namespace postern::db {

// Names each role, table, sequence and function whose text, rights or settings `postern migrate`
// would change, e.g. "function postern.allow(bigint[],integer[])" or "role postern_api". It
// migrates in a transaction that is rolled back and compares the catalogs before and after, so it
// needs the migrator's rights. Empty as well when a newer program has migrated the database.
// REQUIRES: nothing of `schema` is missing (schema_status).
std::vector<std::string> schema_drift(PgConnection& connection,
                                      const Schema& schema = embedded_schema());

}  // namespace postern::db
