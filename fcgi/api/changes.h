// Changes to a task that waits.
#pragma once

#include <string_view>

#include "core/base/error.h"
#include "core/model/task.h"
#include "db/pg/pool.h"
#include "db/tasks/changes.h"
#include "fcgi/auth/caller.h"

namespace postern {

// Thread-safe.
class ChangesApi {
 public:
  // `pool` must outlive it.
  explicit ChangesApi(db::Pool& pool) : pool_(pool) {}

  // Pending or blocked, else `conflict`. Errors besides: those of validate.h with native's names,
  // "change_required" when nothing is to change, "deadline_before_start".
  Result<Task> change(const Caller& caller, std::string_view id, const db::Change& change);
  // Makes it due now. Pending, else `conflict`.
  Result<Task> run(const Caller& caller, std::string_view id);

 private:
  Result<Task> carry_out(const Caller& caller, std::string_view id, const db::Change& change,
                         bool blocked_too);

  db::Pool& pool_;
};

}  // namespace postern
