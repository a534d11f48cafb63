// One transition for many tasks: by their ids, or all that match a filter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "db/pg/pool.h"
#include "db/tasks/bulk.h"
#include "db/tasks/tasks.h"
#include "fcgi/auth/caller.h"

namespace postern {

// Thread-safe.
class BulkApi {
 public:
  static constexpr std::size_t kMaxIds = 100;

  // `pool` must outlive it.
  BulkApi(db::Pool& pool, const Uuid& instance) : pool_(pool), instance_(instance) {}

  // What became of each, in the order of `ids` (in any spelling), as TasksApi::cancel and retry
  // would say it; `rules` as of the latter. Errors of the whole: "ids_required", "ids_too_many".
  Result<std::vector<Result<void>>> each(const Caller& caller, db::BulkVerb verb,
                                         const std::vector<std::string>& ids, db::Rules rules);

  // All that match, step by step, each of them committed; ends after some seconds at the latest.
  // Without states in the filter: what waits is cancelled; what failed is retried, and with a
  // reason whatever ended for it.
  struct Swept {
    std::int64_t count = 0;
    bool more = false;  // its time was over: ask again
  };
  Result<Swept> matching(const Caller& caller, db::BulkVerb verb, db::TaskFilter filter);

  // How many would match, and nothing is done. As the total of a list: `estimated` when not all of
  // them were looked at, and then at least so many.
  struct Counted {
    std::int64_t count = 0;
    bool estimated = false;
  };
  Counted count(const Caller& caller, db::BulkVerb verb, db::TaskFilter filter);

 private:
  db::Pool& pool_;
  const Uuid instance_;
};

}  // namespace postern
