// What can be done with tasks over HTTP, whatever the dialect: every rule is in here. Dialects
// parse into these types and render from them. Database faults are thrown.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/creation.h"
#include "core/model/task.h"
#include "db/catalog/queue_defaults.h"
#include "db/pg/pool.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/batch.h"
#include "fcgi/api/bulk.h"
#include "fcgi/api/changes.h"
#include "fcgi/api/concurrency_limit.h"
#include "fcgi/api/deferred.h"
#include "fcgi/api/endpoints.h"
#include "fcgi/api/long_polls.h"
#include "fcgi/api/metrics.h"
#include "fcgi/api/queues.h"
#include "fcgi/api/schedules.h"
#include "fcgi/api/streams.h"
#include "fcgi/auth/caller.h"
#include "fcgi/intake/intake.h"
#include "fcgi/server/http.h"
#include "fcgi/server/router.h"

namespace postern {

struct Created {
  Task task;
  bool replayed;  // by its idempotency key: nothing was made, this is the task of the first time
};

struct Readiness {
  bool tasks;
  bool config;
  bool scheduler;  // one has beaten within the last minute
};

// Thread-safe.
class Api {
 public:
  struct Options {
    bool require_identity = true;  // false: whoever comes is an admin
    bool auto_create_queues = true;
    bool allow_create_default = false;  // see QueuesApi::create
    std::string asyncjobs_queue = {};   // of asyncjobs's tasks that name none; empty: there is none
    std::string public_url = {};        // without a slash at the end; may be empty
    std::size_t max_body = 512 * 1024;
    int max_waiters = 16;
    int max_streams = 16;
    int asyncjobs_lists = 1;  // that a tenant may read at the same time, of asyncjobs's
    Uuid instance = {};
  };

  // `pool` and `intake` must outlive it.
  Api(Options options, db::Pool& pool, Intake& intake);

  // Whether nginx vouches for the caller, and the role allows it. Errors: `unauthenticated`,
  // `forbidden`, and `unavailable` when the authenticator could not tell.
  Result<Caller> admit(const HttpRequest& request, Access access) const;

  // Validates, routes and stores; calls `done` once: now with an error, or when it is committed, on
  // a thread of the intake's choice. Of the request are taken: the idempotency key with the body it
  // stands for, and the traceparent. What it throws, it throws before it has called or will call
  // `done`.
  using Done = std::function<void(Result<Created>)>;
  void create(const Caller& caller, const HttpRequest& request, Creation wanted, Done done);

  // What answers a creation that is refused, where a used key stands for its task whatever the body
  // (asyncjobs): the task of the request's idempotency key; `refusal` when there is none.
  Result<Created> replay_or(const Caller& caller, const HttpRequest& request, Error refusal);

  // `id` in any spelling, here and below, TaskMQ's numbers too; what is none is `task_not_found`.
  // With `wait` over 0 the answer may take so long, unless the task is finished or its status
  // changes.
  Result<Task> get(const Caller& caller, std::string_view id, Seconds wait);
  Result<db::Page> list(const Caller& caller, const db::TaskFilter& filter);
  // The same without counting how many there are.
  std::vector<Task> first(const Caller& caller, const db::TaskFilter& filter);
  // Only what has not begun, else `conflict`. No attempt starts after it.
  Result<Task> cancel(const Caller& caller, std::string_view id);
  // By whose rules, here and below: those of the dialect that is spoken, or the task's own
  // (nullopt). Only what is finished, however it ended (TaskMQ: not what completed; asyncjobs: all
  // but what is active), else `conflict`.
  Result<Task> retry(const Caller& caller, std::string_view id, db::Rules rules);
  // Only what has not begun (asyncjobs: whatever it is doing), else `conflict`. The task is gone,
  // its idempotency key too.
  Result<void> remove(const Caller& caller, std::string_view id, db::Rules rules);

  // In which dialect it was made; nullopt: it is not there, or the database is not. Never throws.
  std::optional<Dialect> dialect_of(const Caller& caller, std::string_view id);

  SchedulesApi& schedules() { return schedules_; }

  MetricsApi& metrics() { return metrics_; }
  db::Totals totals(const Caller& caller);
  // Never throws.
  Readiness readiness();

  QueuesApi& queues() { return queues_api_; }
  EndpointsApi& endpoints() { return endpoints_api_; }

  const std::string& public_url() const { return options_.public_url; }
  // Of this request, in bytes: a batch may be larger.
  std::size_t max_body(const HttpRequest& request) const;

  BatchApi& batches() { return batches_; }
  BulkApi& bulk() { return bulk_; }
  ChangesApi& changes() { return changes_; }
  DeferredApi& deferred() { return deferred_; }
  Streams& streams() { return streams_; }
  ConcurrencyLimit& lists() { return lists_; }

 private:
  friend class BatchApi;  // creates as `create` does
  using Transit = std::function<db::Transition(db::PgConnection&, const TaskId&)>;
  Result<TaskId> transit(const Caller& caller, std::string_view id, const Transit& verb);
  Result<Task> reread(const std::string& tenant, const TaskId& id);
  Result<Created> created(const std::string& tenant, Intake::Taken taken);

  // A task that may be written: where it is routed, and whether its queue has a bound.
  struct Ready {
    NewTask task;
    std::int64_t lane;
    bool bounded;
  };
  Result<Ready> prepare(const Caller& caller, const HttpRequest& request, Creation wanted);
  bool may_make_queue(const Creation& wanted) const;
  // `make`: if it is not there.
  Result<QueueDefaults> queue_defaults(const std::string& tenant, const std::string& queue,
                                       std::string_view field, bool make);
  bool has_endpoint(const std::string& tenant, const std::string& name);
  std::int64_t lane_of(const TaskSpec& task);

  const Options options_;
  db::Pool& pool_;
  Intake& intake_;
  LongPolls waiters_;
  QueuesApi queues_api_;
  EndpointsApi endpoints_api_;
  SchedulesApi schedules_;
  Streams streams_;
  ConcurrencyLimit lists_;
  BatchApi batches_;
  BulkApi bulk_;
  ChangesApi changes_;
  DeferredApi deferred_;
  MetricsApi metrics_;

  struct CachedQueue {
    QueueDefaults defaults;
    std::chrono::steady_clock::time_point good_until;
  };
  std::mutex mutex_;  // guards the caches
  std::unordered_map<std::string, CachedQueue> queues_;
  std::unordered_set<std::int64_t> lanes_;  // whose rows are there
  // Endpoints that were found, and until when they need not be looked for again.
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> endpoints_;
};

}  // namespace postern
