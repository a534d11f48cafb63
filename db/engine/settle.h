// Settle: active -> finished, delayed, ready or deferred. For a Channel. Fenced by the lease: a
// late answer from a lost lease changes nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/engine/claim.h"
#include "db/pg/connection.h"

namespace postern::db {

struct Settlement {
  TaskId id;
  Uuid lease;
  // completed or failed: over. delayed: again after `delay`. ready: given back, the attempt not
  // counted. active: deferred, the lease runs for `delay`.
  State state;
  Reason reason = Reason::none;
  Milliseconds delay{0};
  Seconds repeat{0};     // of a periodic task, which instead of completing runs again after this
  Microseconds late{0};  // from the task's start to the claim
  std::optional<Attempt> attempt{};  // its record; none when given back or past its deadline
  std::string last_error{};          // empty: cleared
  std::optional<Answer> result{};    // kept with a finished task

  // For the log.
  std::string tenant{}, queue{};
  std::string host{};  // of the target; "endpoint:" and its name when it has no URL
  int number = 0;      // of the attempt
};

// The end of a claimed task's attempt, with what the task says of it.
Settlement settlement(const Claimed& task, State state, Reason reason = Reason::none);

// Applies all of them, counts attempts and endings. Those whose lease was lost are left alone.
extern const BuiltStatement kSettle;
// `counters`: whose counters it adds to.
Params settle_params(const Uuid& counters, std::span<const Settlement> batch);
struct Settled {
  std::vector<TaskId> tasks;
  // Left as they are, under their leases, since nothing of their tenants is written at present: to
  // be sent again.
  std::vector<TaskId> kept;
  bool sequels = false;  // something follows from one of them
};
Settled settled_from(const PgResult& result);

// The last resort for a task whose settlement is refused on its own, and would be for ever: ends it
// as failed, Reason::corrupt_row, with `error`, if it is under this lease still.
extern const Statement kSetAside;
Params set_aside_params(const Uuid& counters, const TaskId& task, const Uuid& lease,
                        std::string_view error);
// True: it is over. False: the lease was lost.
bool set_aside_from(const PgResult& result);

}  // namespace postern::db
