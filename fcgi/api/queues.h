// What can be done with queues over HTTP. Every rule is in here, dialects parse into
// these types and render from them, database faults are thrown.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/queue.h"
#include "core/model/task.h"
#include "fcgi/api/pools.h"

namespace postern {

struct Caller;
class Quotas;

// Thread-safe. `name`, everywhere but in create, is as it stands in a path; unknown ones are
// `queue_not_found`. What handlers keep of a queue for their creations is at most 2 s old; what
// schedulers go by is asked anew for each claim.
class QueuesApi {
 public:
  // `quotas` must outlive it. `allow_default`: a queue named DEFAULT may be made.
  QueuesApi(const Pools& pools, const Uuid& instance, bool allow_default, Quotas& quotas)
      : pool_(pools.rest),
        reads_(pools.reads),
        instance_(instance),
        allow_default_(allow_default),
        quotas_(quotas) {}

  // Errors here and in the next two: those of check_queue and check_queue_name (field "name");
  // "default_queue_disallowed", which keeps the name of an implicit queue from being made by
  // accident; "queue_already_exists" (duplicate); "quota_exceeded"; "tenant_not_found".
  Result<Queue> create(const Caller& caller, std::string_view name, QueueSettings settings);
  struct Put {
    Queue queue;
    bool made;
  };
  // Makes it, or replaces all but its pause.
  Result<Put> put(const Caller& caller, std::string_view name, QueueSettings settings);
  // What the settings become, given what they are; called while the queue is locked.
  using Edit = std::function<Result<QueueSettings>(QueueSettings)>;
  Result<Queue> change(const Caller& caller, std::string_view name, const Edit& edit);

  Result<Queue> get(const Caller& caller, std::string_view name);
  std::vector<Queue> list(const Caller& caller);
  Result<QueueStats> stats(const Caller& caller, std::string_view name);

  // No claim after it takes one of its tasks; what is being delivered goes on.
  Result<Queue> pause(const Caller& caller, std::string_view name, bool paused);

  // Cancels the tasks made before this call that are not being delivered. "purge_incomplete"
  // (unavailable) when there were too many for one call; what was done stays done.
  Result<void> purge(const Caller& caller, std::string_view name);
  // "queue_not_empty" (conflict) when it has live tasks, unless `force`: then it is paused, purged
  // and taken away, and what is being delivered goes on.
  Result<void> remove(const Caller& caller, std::string_view name, bool force);

 private:
  Result<void> cancel_tasks(const Caller& caller, std::string_view name, Time before,
                            Reason reason);

  db::Pool& pool_;
  db::Pool& reads_;
  const Uuid instance_;
  const bool allow_default_;
  Quotas& quotas_;
};

}  // namespace postern
