// Long lists, sent as they are read: a step at a time, so that no list is held as a whole.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/task.h"
#include "db/pg/pool.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/concurrency_limit.h"
#include "fcgi/auth/placements.h"

namespace postern {

// Thread-safe.
class Streams {
 public:
  // `limit`: how many may be under way at the same time, so that they never take the threads that
  // others need. One tenant has its share of them (tenant_share). All must outlive it.
  Streams(db::Pool& pool, int limit, Placements& placements)
      : pool_(pool), placements_(placements), places_(ConcurrencyLimit::shared(limit)) {}

  // The tasks of a filter, in steps; each step reads the database. Copies share one place in the
  // list, and one of the places among the streams until the list is over or the last of them has
  // gone.
  class Reader {
   public:
    // The next few; empty: there are no more, or `filter.limit` is reached. nullopt: the stream has
    // taken its time (60 s) and the list goes on. Throws PgError, and another fault when the tenant
    // has moved to another cell, for then what is here becomes less.
    std::optional<std::vector<Task>> next();

   private:
    friend class Streams;
    struct State;
    std::shared_ptr<State> state_;
  };

  // Error: `rate_limited` "too_many_streams".
  Result<Reader> open(std::string tenant, db::TaskFilter filter);

 private:
  db::Pool& pool_;
  Placements& placements_;
  ConcurrencyLimit places_;
};

}  // namespace postern
