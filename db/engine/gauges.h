// How deep the queues are: what a scheduler measures every few seconds, for /metrics, /v1/stats and
// the queues' own pages. A statement for a Channel.
#pragma once

#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

// Writes a row of queue_gauge for every queue and one of tenant_gauge for every tenant that has
// any, unless any scheduler has done so within `every`. The work is bounded by queues, lanes and
// priorities, never by tasks: `ready` is counted up to 100,000 in a lane, and 1,000 once 200,000
// have been counted, `active` and `blocked` up to 100,000 in a queue. `delayed` is what is left of
// the total that the counters give; `estimated` says that a bound was hit, and that the rest of
// what was counted is in `delayed`.
extern const Statement kMeasureQueues;
Params measure_queues_params(Milliseconds every);

}  // namespace postern::db
