// The database as the scheduler asks it: each question is its statement over a Channel.
#pragma once

#include "db/engine/store.h"
#include "db/pg/channel.h"

namespace postern::db {

// An answer that cannot be read has failed with XX000 (internal error); its statement took effect.
class PgStore final : public Store {
 public:
  // `channel` must outlive it, and is its owner's to drive.
  explicit PgStore(Channel& channel) : channel_(channel) {}

  bool connected() const override { return channel_.connected(); }
  int connects() const override { return channel_.connects(); }
  std::size_t pending() const override { return channel_.pending(); }

  void claim(std::span<const LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
             Seconds grace, Reply<ClaimAnswer> reply) override;
  void settle(const Uuid& counters, std::span<const Settlement> batch,
              Reply<Settled> reply) override;
  void tick(const TickScope& scope, Reply<Tick> reply) override;
  void beat(const Uuid& instance, std::string_view name, const SchedulerGauges& gauges,
            Reply<std::vector<Heartbeat>> reply) override;
  void orphans(std::span<const SilentInstance> dead, const TaskId& from,
               Reply<Orphans> reply) override;
  void lost_claims(const Uuid& instance, std::span<const Uuid> leases,
                   Reply<std::vector<LostClaim>> reply) override;
  void due_schedules(const DueScope& scope, Reply<Due> reply) override;
  void fire(const Uuid& instance, std::span<const Firing> firings, Reply<Fired> reply) override;
  void submit(const Statement& statement, Params params, Reply<const PgResult&> reply) override;

 private:
  Channel& channel_;
};

}  // namespace postern::db
