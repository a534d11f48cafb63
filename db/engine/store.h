// What the scheduler's decisions ask of the database, over one connection. PgStore (pg_store.h) is
// the database itself; tests have a model of it, which passes the same suite.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/wire/scheduler_gauges.h"
#include "db/engine/claim.h"
#include "db/engine/heartbeat.h"
#include "db/engine/lost_claims.h"
#include "db/engine/occurrences.h"
#include "db/engine/orphans.h"
#include "db/engine/settle.h"
#include "db/engine/tick.h"
#include "db/pg/connection.h"

namespace postern::db {

// Who is told the answer. One of the two is called, once, and never from within the question.
template <class Answer>
struct Reply {
  std::function<void(Answer)> done;
  // `error.connection_lost()`: whether the question took effect is not known.
  std::function<void(const PgError& error)> failed;
};

// Questions are answered one after the other, as they were asked. What they mean is with their
// statements; nothing they are given by reference need outlive the call. Confined to one thread.
class Store {
 public:
  virtual ~Store() = default;

  virtual bool connected() const = 0;
  // How often the connection has been established.
  virtual int connects() const = 0;
  // Questions that were not answered yet.
  virtual std::size_t pending() const = 0;

  virtual void claim(std::span<const LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
                     Seconds grace, Reply<ClaimAnswer> reply) = 0;
  virtual void settle(const Uuid& counters, std::span<const Settlement> batch,
                      Reply<Settled> reply) = 0;
  virtual void tick(const TickScope& scope, Reply<Tick> reply) = 0;
  virtual void beat(const Uuid& instance, std::string_view name, const SchedulerGauges& gauges,
                    Reply<std::vector<Heartbeat>> reply) = 0;
  virtual void orphans(std::span<const SilentInstance> dead, const TaskId& from,
                       Reply<Orphans> reply) = 0;
  virtual void lost_claims(const Uuid& instance, std::span<const Uuid> leases,
                           Reply<std::vector<LostClaim>> reply) = 0;
  virtual void due_schedules(const DueScope& scope, Reply<Due> reply) = 0;
  virtual void fire(const Uuid& instance, std::span<const Firing> firings, Reply<Fired> reply) = 0;

  // Any other statement: housekeeping, which decides nothing about a task's attempts. `statement`
  // must outlive the answer (they are constants).
  virtual void submit(const Statement& statement, Params params, Reply<const PgResult&> reply) = 0;
};

}  // namespace postern::db
