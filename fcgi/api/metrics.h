// The numbers: what /metrics shows of all tenants, and /v1/stats of one.
#pragma once

#include <memory>

#include "db/catalog/metrics.h"
#include "db/pg/pool.h"
#include "fcgi/api/counted.h"

namespace postern {

struct Caller;

// Thread-safe.
class MetricsApi {
 public:
  // `pool` must outlive it.
  explicit MetricsApi(db::Pool& pool) : pool_(pool) {}

  std::shared_ptr<const db::Numbers> all();
  // Of the caller's tenant; histograms and schedulers are everybody's.
  db::Numbers stats(const Caller& caller);

 private:
  db::Pool& pool_;
  Counted<db::Numbers> all_;
};

}  // namespace postern
