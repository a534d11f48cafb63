// Queues: the limits on their tasks, and the defaults for tasks that leave a setting out. Plain
// data and its checks, the same for every wire.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/model/dialect.h"
#include "core/model/rate_limit.h"
#include "core/time/time.h"

namespace postern {

// The settings of a queue. The defaults are the table's too: a queue that its first task creates
// has them.
struct QueueSettings {
  // Limits. A change applies at once, also to tasks that wait already.
  std::chrono::nanoseconds max_age{0};  // how long a task may wait; 0: no limit
  std::int64_t max_entries = 0;         // live tasks; 0: no bound
  bool discard_old = false;             // when full, drop the oldest instead of refusing the new
  std::chrono::nanoseconds max_runtime{0};     // of an attempt; 0: no limit
  std::optional<std::int64_t> max_concurrent;  // active tasks
  std::optional<RateLimit> rate_limit;         // of attempts
  // The retention class of a finished task, by its end: "short" or "standard".
  std::string keep_completed = "standard";
  std::string keep_failed = "standard";
  std::string keep_cancelled = "standard";

  // Defaults. A change applies to tasks that are made later.
  std::optional<std::int64_t> max_tries;  // upper limit of the attempts of a task
  std::int64_t max_retries = 3;
  std::string retry_policy = "exponential";  // a name, or inline JSON
  Seconds timeout{30};
  std::optional<std::string> endpoint;  // default target

  bool operator==(const QueueSettings&) const = default;
};

// The queue of dialects whose tasks may name none. It is made only where allow_create_default says
// so.
inline constexpr char kDefaultQueue[] = "DEFAULT";
// The queue of tasks made with sandbox keys. It is created paused, so that none is ever delivered.
inline constexpr char kSandboxQueue[] = "aq_test";
// Those of the dialects that know no queues, and the sandbox's: made with their first task, and not
// listed unless asked for (GET /v1/queues?all=true).
inline constexpr auto kUnlistedQueues = [] {
  constexpr auto has_own = [](const DialectTraits& row) { return !row.own_queue.empty(); };
  std::array<std::string_view, std::count_if(kDialects.begin(), kDialects.end(), has_own) + 1>
      out{};
  std::size_t count = 0;
  for (const DialectTraits& row : kDialects) {
    if (has_own(row)) out[count++] = row.own_queue;
  }
  out[count] = kSandboxQueue;
  return out;
}();

// What a key begins with whose tasks are accepted, shown and never delivered.
inline constexpr char kSandboxKeyPrefix[] = "aq_test_";

// A stored queue.
struct Queue {
  std::string name;
  QueueSettings settings;
  bool paused = false;
  Time created_at, updated_at;
  Time read_at;  // when it was read, by the database's clock
};

// The number of tasks in a queue by state, as last counted by the schedulers.
struct QueueGauge {
  std::int64_t ready = 0, delayed = 0, active = 0, blocked = 0;
  bool estimated = false;          // there were too many to count exactly
  std::optional<Time> oldest_due;  // start time of the ready task that has waited longest
  Time seen_at;
};

// Counters of a queue since its creation. A deleted queue's counters go on when a queue of the
// same name is created.
struct QueueTotals {
  std::int64_t created = 0, retried = 0, deleted = 0;
  std::int64_t completed = 0, failed = 0, cancelled = 0;
  std::int64_t attempts_success = 0, attempts_failed = 0, attempts_lost = 0;

  // Live tasks.
  std::int64_t depth() const {
    return created + retried - deleted - completed - failed - cancelled;
  }
};

struct QueueStats {
  QueueTotals totals;
  std::optional<QueueGauge> gauge;  // nullopt: no scheduler has counted yet
  bool paused = false;
  bool engine_paused = false;  // nothing of any queue is delivered
  Time read_at;
};

// Checks the ranges: max_age 0 or at least 1 s (the schedulers check ages every 5 s), max_runtime 0
// or at least 1 s, max_entries 0 or more, max_tries and max_concurrent 1..10,000; reason
// "NAME_out_of_range". Other reasons: "retention_invalid", "endpoint_invalid", those of
// check_rate_limit, check_max_retries, check_timeout and RetryPolicy::parse. Fields are spelled as
// on the native wire.
Result<void> check_queue(const QueueSettings& settings);

// Refuses the sandbox queue, which takes only tasks of sandbox keys and cannot be changed, with
// "queue_name_reserved".
Result<void> check_not_reserved(std::string_view queue, std::string_view field);

}  // namespace postern
