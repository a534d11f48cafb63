// What the doctor says of the database, for who may ask.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "db/health/report.h"
#include "db/pg/pool.h"
#include "fcgi/api/counted.h"

namespace postern {

struct Caller;

// Thread-safe.
class HealthApi {
 public:
  // `pool` must outlive it. `kept`: for so long a report is given again, so that it does not matter
  // how many look at a dashboard.
  HealthApi(db::Pool& pool, std::chrono::milliseconds kept) : pool_(pool), kept_(kept) {}

  // Of all tenants and the installation for an operator, else of the caller's tenant.
  std::shared_ptr<const db::health::Report> report(const Caller& caller);

 private:
  using Kept = Counted<db::health::Report>;
  std::shared_ptr<Kept> kept_of(const std::string& tenant);

  db::Pool& pool_;
  const std::chrono::milliseconds kept_;
  std::mutex mutex_;  // guards the rest
  // By tenant; "": of all. A pointer that nobody else has may be dropped.
  std::map<std::string, std::shared_ptr<Kept>, std::less<>> by_tenant_;
};

}  // namespace postern
