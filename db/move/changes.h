// What has changed at the source since it was copied: it is noted there by triggers, and copied
// again as it is now.
#pragma once

#include <cstdint>
#include <vector>

#include "db/move/ends.h"

namespace postern::db {

// How many notes there are, counted up to `most`.
std::int64_t noted_changes(Ends& ends, std::int64_t most);

// Copies again what is noted in the snapshot that the source's connection is in, up to `most`
// notes, and returns the notes, to be forgotten when the snapshot has ended. Each thousand of them
// is a transaction at the target, where what was copied before is replaced.
std::vector<std::int64_t> copy_changes(Ends& ends, std::int64_t most);
// What was copied is counted first, at the target in a commit behind those of the copy. A target
// whose server has lost some of them, as by a failover without a synchronous standby, counts less
// than the source from then on. Throws MoveRefused when the target does not know the move any more.
void forget_changes(Ends& ends, const std::vector<std::int64_t>& notes);

// Both, in a snapshot of its own; how many notes there were. Within InTime, what was copied and not
// forgotten when that ends it is copied again by the next call.
std::int64_t catch_up(Ends& ends, std::int64_t most);

}  // namespace postern::db
