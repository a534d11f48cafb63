#include "scheduler/delivery/lost_claims.h"

#include "db/pg/session.h"

namespace postern::scheduler {
namespace {

// The server gives a claim up after its statement_timeout. The rest is for the claim to arrive
// there and for its commit, which that does not bound.
constexpr Seconds kMayAppear = db::kSchedulerStatementTimeout + Seconds{15};

}  // namespace

void LostClaims::add(const Uuid& lease, Monotonic now) { until_[lease] = now + kMayAppear; }

std::vector<Uuid> LostClaims::leases() const {
  std::vector<Uuid> out;
  for (const auto& [lease, until] : until_) out.push_back(lease);
  return out;
}

void LostClaims::looked(Monotonic begun) {
  std::erase_if(until_, [&](const auto& each) { return begun >= each.second; });
}

}  // namespace postern::scheduler
