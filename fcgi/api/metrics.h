// The numbers: what /metrics shows of all tenants, and /v1/stats of one.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "db/catalog/metrics.h"
#include "db/pg/pool.h"

namespace postern {

struct Caller;

// Thread-safe.
class MetricsApi {
 public:
  // `pool` must outlive it.
  explicit MetricsApi(db::Pool& pool) : pool_(pool) {}

  // Counted by one request at a time. What took long to count is given to those who ask soon after,
  // so that counting takes at most a tenth of the time; it is 15 s old at most.
  std::shared_ptr<const db::Numbers> all();
  // Of the caller's tenant; histograms and schedulers are everybody's.
  db::Numbers stats(const Caller& caller);

 private:
  db::Pool& pool_;
  std::mutex mutex_;  // guards the rest; held while they are counted
  std::shared_ptr<const db::Numbers> counted_;
  std::chrono::steady_clock::time_point good_until_{};
};

}  // namespace postern
