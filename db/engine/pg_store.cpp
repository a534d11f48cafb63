#include "db/engine/pg_store.h"

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace postern::db {
namespace {

// `read` makes the answer of the statement's result.
template <class Answer, class Read>
void ask(Channel& channel, const Statement& statement, Params params, Reply<Answer> reply,
         Read read) {
  auto failed = reply.failed;
  channel.submit(
      statement, std::move(params),
      [reply = std::move(reply), read](const PgResult& result) {
        std::optional<Answer> answer;
        try {
          answer.emplace(read(result));
        } catch (const std::exception& fault) {
          reply.failed(
              PgError("the answer cannot be read: " + std::string(fault.what()), "XX000", false));
          return;
        }
        reply.done(std::move(*answer));
      },
      std::move(failed));
}

}  // namespace

void PgStore::claim(std::span<const LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace, Reply<ClaimAnswer> reply) {
  ask(channel_, kClaim, claim_params(lanes, lease, instance, grace), std::move(reply),
      [lease, grace](const PgResult& result) { return claimed_from(result, lease, grace); });
}

void PgStore::settle(const Uuid& counters, std::span<const Settlement> batch,
                     Reply<Settled> reply) {
  ask(channel_, kSettle, settle_params(counters, batch), std::move(reply), settled_from);
}

void PgStore::tick(const TickScope& scope, Reply<Tick> reply) {
  ask(channel_, kTick, tick_params(scope), std::move(reply), tick_from);
}

void PgStore::beat(const Uuid& instance, std::string_view name, const SchedulerGauges& gauges,
                   Reply<std::vector<Heartbeat>> reply) {
  ask(channel_, kBeat, beat_params(instance, name, gauges), std::move(reply), beats_from);
}

void PgStore::orphans(std::span<const SilentInstance> dead, const TaskId& from,
                      Reply<Orphans> reply) {
  ask(channel_, kOrphans, orphans_params(dead, from), std::move(reply), orphans_from);
}

void PgStore::lost_claims(const Uuid& instance, std::span<const Uuid> leases,
                          Reply<std::vector<LostClaim>> reply) {
  ask(channel_, kLostClaims, lost_claims_params(instance, leases), std::move(reply),
      lost_claims_from);
}

void PgStore::due_schedules(const DueScope& scope, Reply<Due> reply) {
  ask(channel_, kDueSchedules, due_schedules_params(scope), std::move(reply), due_from);
}

void PgStore::fire(const Uuid& instance, std::span<const Firing> firings, Reply<Fired> reply) {
  ask(channel_, kFire, fire_params(instance, firings), std::move(reply), fired_from);
}

void PgStore::submit(const Statement& statement, Params params, Reply<const PgResult&> reply) {
  channel_.submit(statement, std::move(params), std::move(reply.done), std::move(reply.failed));
}

}  // namespace postern::db
