// What the server says about itself: what there is of a tenant, and whether it can do its work.
#pragma once

#include "db/tasks/tasks.h"
#include "fcgi/api/pools.h"
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
  // `intake` must outlive it.
  StatusApi(const Pools& pools, const Intake& intake)
      : vital_(pools.vital), reads_(pools.reads), intake_(intake) {}

  db::Totals totals(const Caller& caller);
  // Never throws.
  Readiness readiness();

 private:
  db::Pool& vital_;
  db::Pool& reads_;
  const Intake& intake_;
};

}  // namespace postern
