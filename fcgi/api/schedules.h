// What can be done with schedules over HTTP, whatever the dialect. Database faults are thrown.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/schedule.h"
#include "db/catalog/schedules.h"
#include "fcgi/api/pools.h"

namespace postern {

class Quotas;

// Thread-safe. `tenant` is the caller's throughout; of another tenant's schedule nothing is told:
// `schedule_not_found`, as when there is none.
class SchedulesApi {
 public:
  // `quotas` must outlive it.
  SchedulesApi(const Pools& pools, const Uuid& instance, Quotas& quotas)
      : pool_(pools.rest), reads_(pools.reads), instance_(instance), quotas_(quotas) {}

  // Errors: those of check_schedule, "schedule_already_exists", "quota_exceeded",
  // "endpoint_not_found", "url_required", and "schedule_invalid" when it would never fire.
  Result<Schedule> create(std::string_view tenant, Schedule wanted);

  // Applied to a schedule, says what it shall be. May be called twice.
  using Change = std::function<Result<void>(Schedule&)>;
  // Makes the schedule from `change` applied to an empty one, or puts that in its place: created_at
  // stays, and what was paused is so until `change` says otherwise.
  struct Put {
    Schedule schedule;
    bool created;
  };
  Result<Put> put(std::string_view tenant, std::string_view name, const Change& change);
  // Next occurrences are counted from now on when times change, or when it is paused no more.
  Result<Schedule> change(std::string_view tenant, std::string_view name, const Change& change);
  // The same for this alone; one that breaks a rule by now can be paused all the same.
  Result<Schedule> set_paused(std::string_view tenant, std::string_view name, bool paused);

  Result<Schedule> get(std::string_view tenant, std::string_view name);
  // By name: up to `limit` after `after`. `queue`: only of this one; empty: of all.
  std::vector<Schedule> list(std::string_view tenant, std::string_view queue,
                             std::string_view after, int limit);
  Result<void> remove(std::string_view tenant, std::string_view name);

  // Up to `count` times from now on, whether it is paused or not.
  Result<std::vector<Time>> next(std::string_view tenant, std::string_view name, int count);
  // The same of one that is not made: of `wanted` count the times alone. Errors: those of
  // check_times, and "schedule_invalid" when it would never fire.
  Result<std::vector<Time>> preview(Schedule wanted, int count);
  // Newest first.
  Result<std::vector<db::ScheduleRun>> runs(std::string_view tenant, std::string_view name,
                                            std::optional<Time> before, int limit);
  // Makes its task now, paused or not. Errors: "queue_full", "quota_exceeded", and what came in by
  // SQL and is invalid.
  Result<db::ScheduleRun> trigger(std::string_view tenant, std::string_view name);

 private:
  db::Pool& pool_;
  db::Pool& reads_;
  const Uuid instance_;
  Quotas& quotas_;
};

}  // namespace postern
