// What can be done with tasks that are there, whatever the dialect. Every rule is in here; dialects
// parse into these types and render from them. Database faults are thrown.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/pg/pool.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/long_polls.h"
#include "fcgi/api/pools.h"
#include "fcgi/auth/caller.h"

namespace postern {

// Thread-safe.
class TasksApi {
 public:
  // `max_waiters`: of LongPolls. `placements` must outlive it, too.
  TasksApi(const Pools& pools, const Uuid& instance, int max_waiters, Placements& placements)
      : pool_(pools.rest),
        reads_(pools.reads),
        instance_(instance),
        waiters_(pools.rest, max_waiters, placements) {}

  // `id` in any spelling, here and below, integers too; what is none is `task_not_found`. With
  // `wait` over 0 it blocks up to so long, unless the task is finished or its status changes.
  Result<Task> get(const Caller& caller, std::string_view id, Seconds wait);
  Result<db::Page> list(const Caller& caller, const db::TaskFilter& filter);
  // The same without counting how many there are.
  db::Listed first(const Caller& caller, const db::TaskFilter& filter);
  // Only what has not begun, else `conflict`. No attempt starts after it.
  Result<Task> cancel(const Caller& caller, std::string_view id);
  // By whose rules, here and below: those of the dialect that is spoken, or the task's own
  // (nullopt). Only what is finished, however it ended, as far as the dialect's traits do not say
  // otherwise; else `conflict`.
  Result<Task> retry(const Caller& caller, std::string_view id, db::Rules rules);
  // Only what has not begun, as far as the dialect's traits do not say otherwise; else `conflict`.
  // The task is gone, its idempotency key too.
  Result<void> remove(const Caller& caller, std::string_view id, db::Rules rules);

  // In which dialect it was made; nullopt: it is not there, or the database is not. Never throws.
  std::optional<Dialect> dialect_of(const Caller& caller, std::string_view id);

 private:
  using Transit = std::function<db::Transition(db::PgConnection&, const TaskId&)>;
  Result<TaskId> transit(const Caller& caller, std::string_view id, const Transit& verb);
  Result<Task> reread(const std::string& tenant, const TaskId& id);

  db::Pool& pool_;
  db::Pool& reads_;
  const Uuid instance_;
  LongPolls waiters_;
};

}  // namespace postern
