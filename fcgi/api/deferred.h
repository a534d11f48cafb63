// What a receiver tells about a task that it took over with 202 and Postern-Defer. Whoever has the
// token of the webhook's Postern-Complete-Url may; there is no other credential.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/task.h"
#include "core/program/failure_log.h"
#include "db/pg/pool.h"
#include "db/tasks/changes.h"
#include "fcgi/server/http.h"

namespace postern {

// Thread-safe.
class DeferredApi {
 public:
  // `pool` must outlive it.
  DeferredApi(db::Pool& pool, const Uuid& instance) : pool_(pool), instance_(instance) {}

  // Each returns the task's state then. Errors: `forbidden` "token_invalid" for a token that is not
  // that of the attempt under way, and for a task that is not there; `conflict` when the receiver
  // has told the end before. `tenant`: of the vhost; empty: any.
  struct Subject {
    std::string_view id;
    std::string_view token;
    std::string_view tenant;
  };
  // `body`, whose first 16 KiB are kept, is the task's result.
  Result<State> complete(const Subject& subject, std::string_view body,
                         std::string_view content_type);
  // Another attempt by the task's retry policy, or with `retry` false the end.
  Result<State> fail(const Subject& subject, std::string_view error, bool retry);
  // Whoever has the token of a signal tells the end of the task that waits for it, also while its
  // webhook is still under way. `body` is kept as with `complete`.
  struct Signal {
    std::optional<TaskId> task;  // whose token it says to be; nullopt: it is no token
    std::function<bool(const TaskSpec&)> proves;  // that it is that task's token
    std::string_view tenant;                      // of the vhost; empty: any
    bool completed;
    std::string_view error;
    std::string_view body;
  };
  struct Signalled {
    Task task;  // as it is now
    bool done;  // false: it does not wait for the signal, or not any more
  };
  // Error: `task_not_found` for a token that is none.
  Result<Signalled> signal(const Signal& signal);
  // Whose the task is, also of one that has left this cell; nullopt: there is no such.
  std::optional<std::string> tenant_of(const TaskId& id);
  // The end will be told within `seconds` from now: 1 s to a week, else "seconds_out_of_range".
  Result<State> extend(const Subject& subject, std::int64_t seconds);

 private:
  Result<db::Leased> admit(const Subject& subject);
  void tell(const db::Leased& leased, const db::Told& told);
  Result<State> settle(const db::Leased& leased, const db::Told& told);

  db::Pool& pool_;
  const Uuid instance_;
  FailureLog failures_;
};

}  // namespace postern
