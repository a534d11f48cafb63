// The statements by which lists find tasks. Each looks at a bounded number of index entries, in the
// order of the list, and reads only what it answers with from the tables.
//
// Parameters: $1 tenant, $2 queues of live tasks, $3 queues of finished ones (FinishedPart::ended:
// with their states in $4), $5 states, $6 tag, $7 and $8 made since and until, $9 endpoint, $10
// phases, $11 and $12 ids between which they are, $13 when the oldest can have finished, $14 and
// $15 entries to look at in each queue of live and of finished tasks, $16 reason, $17 rows.
#pragma once

#include "db/pg/connection.h"

namespace postern::db {

// Which indexes are read. Those of a part hold what is wanted of it, so that what is rare among
// others is not searched for.
enum class LivePart { none, all, active, blocked };
enum class FinishedPart { none, all, ended };  // ended: without success

struct ListParts {
  LivePart live;
  FinishedPart finished;
};

// What of a task decides whether it is asked for.
enum class Judged {
  by_index,  // nothing that the parts do not say: its row is not read
  by_row,    // no state and no phase
  by_state,  // all, for which a live task's lease is read
};

// The first $17 rows, as (id, finished_at, matches, is_last). Past the first row with `is_last`
// rows may be missing: the look into one of the queues ended there.
const Statement& find_tasks(ListParts parts, Judged judged, bool oldest_first);

// How many of the first $14 entries match, and how many entries there were, as (matching, looked).
// $15 is not used.
const Statement& count_tasks(ListParts parts, Judged judged);

// The tasks $1, each with its finished_at of $2 (NULL: live), in this order.
extern const Statement& kListed;
// The queues of tenant $1 that hold tasks: an index descent for each, however many tasks.
extern const Statement& kLiveQueues;
extern const Statement& kFinishedQueues;
// How many attempts are under way in the queues $2 of tenant $1, up to $3.
extern const Statement& kLeases;

}  // namespace postern::db
