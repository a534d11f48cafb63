// How much a tenant may have of what makes work for everybody: queues, endpoints, schedules, lanes
// and waiting tasks. Whoever makes one of them asks here first.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/error.h"
#include "core/model/task.h"
#include "db/catalog/quotas.h"
#include "db/pg/pool.h"

namespace postern {

// Thread-safe. Every refusal is the conflict "quota_exceeded".
class Quotas {
 public:
  // 0: none.
  struct Limits {
    int queues = 0, endpoints = 0, schedules = 0, lanes = 0, waiting = 0;
  };

  // `pool` must outlive it.
  Quotas(const Limits& limits, db::Pool& pool) : limits_(limits), pool_(pool) {}

  // Whether the tenant may make this queue, endpoint or schedule, or has it already. `field` is
  // what a refusal names. Requests at the same time may exceed a quota by their number.
  Result<void> check(db::Quota what, std::string_view tenant, std::string_view name,
                     std::string_view field);
  Result<void> check(db::PgConnection& connection, db::Quota what, std::string_view tenant,
                     std::string_view name, std::string_view field);

  // Whether the tenant may have one more task waiting, and in this lane, which counts when no task
  // of it is ready. By what the schedulers measured last, some 10 s ago.
  Result<void> check_task(const TaskSpec& task, std::int64_t lane, std::string_view queue_field,
                          std::string_view target_field);

 private:
  db::TenantLoad load(const std::string& tenant);

  const Limits limits_;
  db::Pool& pool_;

  struct Seen {
    db::TenantLoad load;
    std::chrono::steady_clock::time_point good_until;
  };
  std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, Seen> seen_;
};

}  // namespace postern
