// One call of the command that moves a tenant: what it was asked for, tells, and has done.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/uuid.h"
#include "core/time/time.h"
#include "db/move/ends.h"

namespace postern::db {

struct MoveOptions {
  Milliseconds drain{5'000};   // how long attempts under way are waited for, without new ones;
                               // 1.5 s at least, until every handler knows
  Milliseconds pause{10'000};  // how long writes may be refused, before that is given up for now
  bool accept = false;  // the operator's word: what the servers are now is right (refuse_servers)
};

struct MoveResult {
  std::int64_t rows = 0;      // of the copy that this call made, besides the rest in the pause
  std::int64_t compared = 0;  // rows of which both ends had the same
  std::int64_t deleted = 0;
  Milliseconds pause{0};     // for which nothing of the tenant was written
  std::int64_t repeats = 0;  // attempts that went on through it, which the target begins again
  int tries = 0;             // pauses that were begun
};

// What is under way, and its rows so far; -1: it has none.
using MoveTold = std::function<void(const std::string& step, std::int64_t rows)>;

struct MoveCall {
  Ends& ends;
  const MoveOptions& options;
  const MoveTold& told;
  Uuid id{};  // the move's
  MoveResult result{};
};

}  // namespace postern::db
