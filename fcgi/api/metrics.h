// The numbers: what /metrics shows of all tenants, and /v1/stats of one.
#pragma once

#include "db/catalog/metrics.h"
#include "db/pg/pool.h"

namespace postern {

struct Caller;

// Thread-safe.
class MetricsApi {
 public:
  // `pool` must outlive it.
  explicit MetricsApi(db::Pool& pool) : pool_(pool) {}

  db::Numbers all();
  // Of the caller's tenant; histograms and schedulers are everybody's.
  db::Numbers stats(const Caller& caller);

 private:
  db::Pool& pool_;
};

// For how long the task that waits longest has been due at `now`; 0: none is.
double oldest_due_seconds(const db::Depth& depth, Time now);

}  // namespace postern
