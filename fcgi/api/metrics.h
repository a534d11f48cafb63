// The numbers: what /metrics shows of all tenants, and /v1/stats, /v1/stats/series and /v1/failures
// of one.
#pragma once

#include <memory>
#include <string>

#include "db/catalog/metrics.h"
#include "db/catalog/series.h"
#include "db/pg/pool.h"
#include "db/tasks/failures.h"
#include "fcgi/api/counted.h"

namespace postern {

struct Caller;

// Which series are wanted.
struct SeriesScope {
  enum class Of { tenant, queue, endpoint, by_queue, by_endpoint };
  Of of = Of::tenant;
  std::string name = {};  // of the queue or endpoint
  int minutes = 60;
  int limit = 20;  // of the last two: the busiest
};

// Thread-safe.
class MetricsApi {
 public:
  // `pool` must outlive it.
  explicit MetricsApi(db::Pool& pool) : pool_(pool) {}

  std::shared_ptr<const db::Numbers> all();
  // Of the caller's tenant; histograms and schedulers are everybody's.
  db::Numbers stats(const Caller& caller);
  // Of the caller's tenant. Whether there is such a queue or endpoint is not asked.
  db::SeriesSet series(const Caller& caller, const SeriesScope& scope);
  db::Failures failures(const Caller& caller, const db::FailureFilter& filter);

 private:
  db::Pool& pool_;
  Counted<db::Numbers> all_;
};

}  // namespace postern
