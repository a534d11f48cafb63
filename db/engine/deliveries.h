// The scheduler's side of a task: claim, settle, rescue, promote. A statement, its parameters and
// the reading of its result stand together for each, since the scheduler sends them through a
// Channel. All are fenced by the lease: a late answer from a lost lease changes nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/pg/connection.h"

namespace postern::db {

// --- claim: ready -> active
// ------------------------------------------------------------------------

// A lane and how many of its tasks may be claimed.
struct LaneSlots {
  std::int64_t lane;
  int free;
};

// A task that is ours until `lease_until`.
struct Claimed {
  TaskSpec spec;
  Uuid lease;
  std::int64_t lane = 0;
  int attempt = 0;       // the number of this attempt
  int attempt_base = 0;  // attempts of earlier budgets
  Time created_at;
  Time claimed_at;
  Time lease_until;
  bool past_deadline = false;           // it may not start any more: settle it as failed
  std::optional<std::string> resolved;  // the endpoint it goes to
  bool deferred = false;                // its receiver has accepted it, and was to tell the end
  // Its endpoint's, else the tenant's: current, and previous while it still signs.
  std::vector<std::string> secrets;
  std::vector<DependencyResult> results;  // when it asks for them
};

// A lane that has more than its queue or endpoint permits now.
struct HeldLane {
  std::int64_t lane;
  Milliseconds wait;  // ask again then,
  bool full_up;       // or when an attempt has ended, which frees a place
};

// Claims, fair among the lanes, by priority and then start within one, within the limits of queues
// and endpoints, and counts the attempt. The lease lasts each task's timeout plus `grace`.
extern const Statement kClaim;
Params claim_params(std::span<const LaneSlots> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace);
struct ClaimAnswer {
  // Their specs say what holds for this attempt: the endpoint's URL, method and headers, and the
  // timeout that comes of task, endpoint and queue. No URL: there is no such endpoint.
  std::vector<Claimed> tasks;
  std::vector<HeldLane> held;
};
// `lease` and `grace` as given to claim_params.
ClaimAnswer claimed_from(const PgResult& result, const Uuid& lease, Seconds grace);

// --- settle: active -> finished, delayed, ready or deferred
// --------------------------------------------------

struct Settlement {
  TaskId id;
  Uuid lease;
  // completed or failed: over. delayed: again after `delay`. ready: given back, the attempt not
  // counted. active: deferred, the lease runs for `delay`.
  State state;
  Reason reason = Reason::none;
  Milliseconds delay{0};
  std::optional<Attempt> attempt{};  // its record; none when given back or past its deadline
  std::string last_error{};          // empty: cleared
  std::optional<Answer> result{};    // kept with a finished task
};

// Applies all of them, counts attempts and endings. Those whose lease was lost are left alone.
extern const Statement kSettle;
Params settle_params(const Uuid& instance, std::span<const Settlement> batch);
struct Settled {
  std::vector<TaskId> tasks;
  bool sequels = false;  // something follows from one of them
};
Settled settled_from(const PgResult& result);

// --- tick: what there is to do
// ---------------------------------------------------------------------

// Promotes up to `limit` due tasks (delayed -> ready) and looks around. One statement a second when
// idle.
extern const Statement kTick;
Params tick_params(int limit);
struct Tick {
  std::vector<std::int64_t> ready_lanes;
  int promoted = 0;                      // as many as the limit: there may be more
  std::optional<Milliseconds> next_due;  // until the next delayed task; nullopt: there is none
  bool unrouted = false;                 // tasks came in by the SQL door
  bool sequels = false;                  // something follows from a task's end
  std::optional<Milliseconds> next_occurrence;  // of a schedule; nullopt: there is none
};
Tick tick_from(const PgResult& result);

// --- rescue: the active tasks of schedulers that died
// ----------------------------------------------

// Active tasks whose instance is in `dead` or has no row, or whose lease ran out; up to 500,
// without bodies.
extern const Statement kOrphans;
Params orphans_params(std::span<const Uuid> dead);
struct Orphan {
  Claimed task;
  Uuid instance;
  bool instance_gone;  // dead, or without a row; false: only the lease ran out
};
std::vector<Orphan> orphans_from(const PgResult& result);

}  // namespace postern::db
