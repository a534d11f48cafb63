// Results on their way into the database: gathered, sent in one statement after the other, and sent
// again until they are known to be there. Everything is fenced by the lease, so sending twice does
// no harm.
#pragma once

#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/program/failure_log.h"
#include "core/program/log_throttle.h"
#include "db/engine/attempt_times.h"
#include "db/engine/settle.h"
#include "db/engine/store.h"
#include "db/tasks/counter_id.h"
#include "scheduler/delivery/environment.h"

namespace postern::scheduler {

// Confined to one thread.
class Settler {
 public:
  // Both must outlive it.
  Settler(db::Store& store, Environment& environment);

  void add(db::Settlement settlement);

  // Sends what has gathered, if it is time. `hurry`: nothing else will come soon, so do not wait
  // for more.
  void turn(Monotonic now, bool hurry);
  // When to call turn even if nothing happens.
  std::optional<Monotonic> wake_at() const;

  // Settlements that the database is not known to have, and could take.
  std::size_t size() const { return waiting_.size() + sent_.size(); }
  // Those of tenants that nothing may be written of at present. Others do not wait for them.
  std::size_t kept() const { return kept_.size(); }
  std::set<TaskId> tasks() const;

  // The start of the earliest retry settled since the last call.
  std::optional<Monotonic> take_retry_at() { return std::exchange(retry_at_, std::nullopt); }
  // Whether something follows from what was settled since the last call.
  bool take_sequels() { return std::exchange(sequels_, false); }
  // Whether anything was settled since the last call: a place is free where there was none.
  bool take_settled() { return std::exchange(settled_some_, false); }
  // How long the attempts took that were settled since the last call.
  db::AttemptTimes take_times() { return std::exchange(times_, {}); }

 private:
  void send();
  void settled(const db::Settled& done);
  void keep(std::vector<db::Settlement>& batch, const std::set<TaskId>& tasks);
  void refused(const db::PgError& error);
  void set_aside(const db::PgError& error);
  void put_back();

  db::Store& store_;
  Environment& environment_;
  db::CounterId counters_;
  std::vector<db::Settlement> waiting_;
  std::vector<db::Settlement> sent_;  // in the statement under way
  // Of fenced tenants, on their way to another cell, until those are here again or their leases are
  // gone. No more than there were attempts of theirs when they began to leave.
  std::vector<db::Settlement> kept_;
  Monotonic kept_until_{};
  Monotonic sent_at_{};
  Monotonic::duration gather_{};  // how long a result waits for others
  Monotonic oldest_{};            // since when the first of waiting_ waits
  Monotonic not_before_{};        // after a failure
  Monotonic due_{};               // when to send what waits, as of the last turn
  std::size_t limit_;             // of one statement; halved while it is refused
  bool repeated_ = false;         // some of waiting_ or sent_ may be settled already
  std::optional<Monotonic> retry_at_;
  bool sequels_ = false;
  bool settled_some_ = false;
  db::AttemptTimes times_;
  FailureLog failures_;
  LogThrottle log_refused_, log_set_aside_, log_lease_lost_;
};

}  // namespace postern::scheduler
