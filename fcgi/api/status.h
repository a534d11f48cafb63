// What the server says about itself: what there is of a tenant, and whether it can do its work.
#pragma once

#include "db/pg/pool.h"
#include "db/tasks/tasks.h"
#include "fcgi/auth/caller.h"

namespace postern {

class Intake;

struct Readiness {
  bool tasks;
  bool config;
  bool scheduler;  // one has beaten within the last minute
};

// Thread-safe.
class StatusApi {
 public:
  // Both must outlive it.
  StatusApi(db::Pool& pool, const Intake& intake) : pool_(pool), intake_(intake) {}

  db::Totals totals(const Caller& caller);
  // Never throws.
  Readiness readiness();

 private:
  db::Pool& pool_;
  const Intake& intake_;
};

}  // namespace postern
