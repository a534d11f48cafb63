// What the server says about itself: what there is of a tenant, and whether it can do its work.
#pragma once

#include <optional>

#include "db/catalog/schedulers.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/pools.h"
#include "fcgi/auth/caller.h"

namespace postern {

class Intake;

struct Readiness {
  bool tasks = false;
  bool config = false;
  std::optional<db::SchedulersHeard> schedulers = {};  // nullopt: the database did not say
  bool ready = false;  // tasks and config are, and a scheduler where one is needed
};

// Thread-safe.
class StatusApi {
 public:
  // `intake` must outlive it. `needs_scheduler`: without one nothing is ready.
  StatusApi(const Pools& pools, const Intake& intake, bool needs_scheduler)
      : vital_(pools.vital),
        reads_(pools.reads),
        intake_(intake),
        needs_scheduler_(needs_scheduler) {}

  db::Totals totals(const Caller& caller);
  // Never throws.
  Readiness readiness();

 private:
  db::Pool& vital_;
  db::Pool& reads_;
  const Intake& intake_;
  const bool needs_scheduler_;
};

}  // namespace postern
