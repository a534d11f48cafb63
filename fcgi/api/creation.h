// The creation of tasks, whatever the dialect: what may be asked, what the queue adds, where the
// task goes. Every rule is in here. Database faults are thrown.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/model/creation.h"
#include "core/model/task.h"
#include "core/time/time.h"
#include "fcgi/api/pools.h"
#include "fcgi/auth/caller.h"
#include "fcgi/intake/intake.h"
#include "fcgi/server/http.h"

namespace postern {

class Quotas;

struct Created {
  Task task;
  bool replayed;  // by its idempotency key: nothing was made, this is the task of the first time
};

// Thread-safe.
class CreationApi {
 public:
  struct Options {
    bool auto_create_queues = true;
    bool allow_create_default = false;  // see QueuesApi::create
    // Of tasks that name none, in the dialects that have a setting for it; empty: there is none.
    std::string default_queue = {};
  };

  // `intake` and `quotas` must outlive it.
  CreationApi(Options options, const Pools& pools, Intake& intake, Quotas& quotas)
      : options_(std::move(options)),
        vital_(pools.vital),
        rest_(pools.rest),
        intake_(intake),
        quotas_(quotas) {}

  // Validates, routes and stores; calls `done` once: now with an error, or when it is committed, on
  // a thread of the intake's choice. Of the request are taken: the idempotency key with the body it
  // stands for, and the traceparent. What it throws, it throws before it has called or will call
  // `done`.
  using Done = std::function<void(Result<Created>)>;
  void create(const Caller& caller, const HttpRequest& request, Creation wanted, Done done);

  // What answers a creation that is refused, where a used key stands for its task whatever the body
  // (replays_refused): the task of the request's idempotency key; `refusal` when there is none.
  Result<Created> replay_or(const Caller& caller, const HttpRequest& request, Error refusal);

  // The two halves of `create`, for who hands many tasks over at once. First: a task that may be
  // written, where it is routed, and whether its queue has a bound.
  struct Ready {
    NewTask task;
    std::int64_t lane;
    bool bounded;
  };
  Result<Ready> prepare(const Caller& caller, const HttpRequest& request, Creation wanted);
  // Then: what the intake's answer means.
  Result<Created> answer_of(const std::string& tenant, Intake::Taken taken);

 private:
  bool may_make_queue(const Creation& wanted) const;
  Result<void> set_default_queue(Creation& wanted) const;
  // `make`: if it is not there.
  Result<QueueDefaults> queue_defaults(const std::string& tenant, const std::string& queue,
                                       std::string_view field, bool make);
  std::int64_t next_job_id();
  bool has_endpoint(const std::string& tenant, const std::string& name);

  const Options options_;
  db::Pool& vital_;
  db::Pool& rest_;
  Intake& intake_;
  Quotas& quotas_;

  struct CachedQueue {
    QueueDefaults defaults;
    std::chrono::steady_clock::time_point good_until;
  };
  std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, CachedQueue> queues_;
  // Endpoints that were found, and until when they need not be looked for again.
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> endpoints_;
  std::deque<std::int64_t> job_ids_;  // drawn, not used yet
  Monotonic job_ids_until_{};         // until when they may be
};

}  // namespace postern
