#include "core/program/log.h"
#include "db/engine/lost_claims.h"
#include "scheduler/delivery/outcome.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {

// Nobody has called the receivers of these tasks, so they are given back without an attempt.
void reclaim(const DutyRun& run) {
  auto& context = run.context();
  auto& dispatcher = context.dispatcher;
  const auto leases = dispatcher.lost_claims().leases();
  if (leases.empty()) return;
  run.store().lost_claims(context.options.instance, leases,
                          run.reply<std::vector<db::LostClaim>>(
                              [run, &dispatcher](const std::vector<db::LostClaim>& found) {
                                const auto held = dispatcher.held();
                                int reclaimed = 0;
                                for (const auto& [id, lease] : found) {
                                  if (held.contains(id))
                                    continue;  // given back already, and not settled yet
                                  db::Claimed task;
                                  task.spec.id = id;
                                  task.lease = lease;
                                  dispatcher.settler().add(given_back(task));
                                  ++reclaimed;
                                }
                                // There may be more than one answer holds; the next beat asks
                                // again.
                                if (found.empty()) dispatcher.lost_claims().looked(run.begun());
                                if (reclaimed > 0)
                                  log::warn("claims reclaimed tasks={}", reclaimed);
                              }));
}

}  // namespace postern::scheduler
