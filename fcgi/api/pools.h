// The connections of the handlers, apart by what waits for them: what is dear, slow or waits for a
// lock never has those that others need in the meantime.
#pragma once

#include "db/pg/pool.h"

namespace postern {

// They must outlive whatever is given them. How many requests ask for one at the same time is
// Dispatch's affair.
struct Pools {
  db::Pool& vital;  // who asks, what a creation needs to know, readiness: short statements alone
  db::Pool& reads;  // lists, streams and counts
  db::Pool& rest;   // changes, sweeps, and reads of one thing by its name
};

}  // namespace postern
