// Claim: ready -> active. Statement, parameters and the reading of its result stand together, as
// the scheduler sends them through a Channel.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/task.h"
#include "db/engine/lane_scan.h"
#include "db/pg/connection.h"

namespace postern::db {

// A lane and how many of its tasks may be claimed.
struct LaneSlots {
  std::int64_t lane;
  int free;
};

// The same with what is known of the lane.
struct LaneClaim {
  LaneSlots slots;
  const LaneName* name = nullptr;        // nullptr: the claim finds out
  std::span<const LaneMark> marks = {};  // where its scan begins; empty: at its first task
};

// A task that is ours until `lease_until`.
struct Claimed {
  TaskSpec spec;
  Uuid lease;
  std::int64_t lane = 0;
  int attempt = 0;       // the number of this attempt
  int attempt_base = 0;  // attempts of earlier budgets
  Time created_at;
  Time run_at;
  Time claimed_at;
  Time lease_until;
  bool past_deadline = false;           // it may not start any more: settle it as failed
  std::optional<std::string> resolved;  // the endpoint it goes to
  bool deferred = false;                // its receiver has accepted it, and was to tell the end
  // Its endpoint's, else the tenant's: current, and previous while it still signs.
  std::vector<std::string> secrets;
  std::vector<DependencyResult> results;  // when it asks for them
  std::string unreadable;  // what is wrong with its row: settle it as failed; or empty
};

// A lane that has more than its queue or endpoint permits now.
struct HeldLane {
  std::int64_t lane;
  Milliseconds wait;  // ask again then,
  bool full_up;       // or when an attempt has ended, which frees a place
};

// Claims, fair among the lanes, by priority and then start within one, within the limits of queues
// and endpoints, and counts the attempt. The lease lasts each task's timeout plus `grace`.
extern const BuiltStatement kClaim;
Params claim_params(std::span<const LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace);
// Of these lanes nothing is known.
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

}  // namespace postern::db
