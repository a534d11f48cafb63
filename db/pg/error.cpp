#include "db/pg/error.h"

#include <algorithm>

namespace postern::db {

bool PgError::is_of(std::initializer_list<const char*> beginnings) const {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const char* beginning) { return sqlstate_.starts_with(beginning); });
}

bool PgError::leaves_commit_unsure() const { return lost_ || is_of({"57P"}); }

bool PgError::is_undone() const { return is_of({"40001", "40P01"}); }

bool PgError::is_lock_timeout() const { return is_of({"55P03"}); }

bool PgError::is_busy() const { return is_undone() || is_lock_timeout() || is_of({"57014"}); }

// Data exception, integrity constraint violation, program limit exceeded; but not a stack that a
// setting has made too small.
bool PgError::is_data_fault() const { return is_of({"22", "23", "54"}) && !is_of({"54001"}); }

// Connection, transaction state (read-only), rollback, resources, locks, intervention, system.
bool PgError::is_passing() const {
  return lost_ || is_of({"08", "25", "40", "53", "55", "57", "58"});
}

bool PgError::is_unique_violation() const { return is_of({"23505"}); }

bool PgError::is_foreign_key_violation() const { return is_of({"23503"}); }

// PM001 on its way, PM002 moved: our own, raised by db/schema/functions/.
bool PgError::is_tenant_away() const { return is_of({"PM0"}); }

// Our own, too. Not 55000, which a database says that takes no connections for now.
bool PgError::is_wrong_step() const { return is_of({"PM100"}); }

}  // namespace postern::db
