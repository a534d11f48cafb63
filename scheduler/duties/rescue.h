// Who is dead, and which of their tasks are to be taken over. Pure: beats and orphans in, verdicts
// out; no clock is compared with another machine's.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "db/engine/heartbeat.h"
#include "db/engine/orphans.h"
#include "db/pg/channel.h"

namespace postern::scheduler {

// How often a scheduler beats, so that a living one is never taken for dead.
Milliseconds beat_period(Seconds rescue_after);

// Confined to one thread.
class Rescue {
 public:
  Rescue(const Uuid& self, std::string name, Seconds rescue_after);

  // All beats, as they stand now. `connects`: how often our connection has been established. All
  // observations start anew after a reconnect or a long pause: nobody is declared dead because the
  // database was away.
  void observe(std::span<const db::Heartbeat> beats, int connects, Monotonic now);

  // The schedulers whose beat has not changed for `rescue_after`, by our own clock and up to our
  // last observation: since then they may have beaten. One that bore our own name, whose restart we
  // are, is dead after 11 s already.
  std::vector<db::SilentInstance> dead() const;

  // Those of `orphans` to be rescued now. A task whose scheduler lives although the lease
  // ran out must have been seen so twice, `rescue_after` apart and as long as the lease was made
  // for: it may be the database's clock that jumped, and the attempt be under way. What one round
  // of looks did not show is forgotten.
  std::vector<db::Orphan> judge(db::Orphans orphans, Monotonic now);

  // Where the next look begins. A round of looks goes over all leases.
  const TaskId& from() const { return from_; }

 private:
  struct Seen {
    std::string name;
    std::int64_t beat;
    Monotonic since;  // unchanged since
  };
  using Key = std::pair<TaskId, Uuid>;  // task and lease

  const Uuid self_;
  const std::string name_;
  const Seconds rescue_after_;
  std::map<Uuid, Seen> seen_;
  int connects_ = 0;
  Monotonic last_look_{};
  TaskId from_{};
  std::map<Key, Monotonic> expired_;         // since when we have seen the lease expired
  std::map<Key, Monotonic> expired_before_;  // the same, of the round before
};

}  // namespace postern::scheduler
