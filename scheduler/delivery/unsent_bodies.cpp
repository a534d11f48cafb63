#include "scheduler/delivery/unsent_bodies.h"

namespace postern::scheduler {

bool UnsentBodies::has_room(LaneTenant tenant) const {
  constexpr std::size_t kOthersPart = 4;
  return held_ < bytes_ && held_by(tenant) < bytes_ - bytes_ / kOthersPart;
}

std::size_t UnsentBodies::held_by(LaneTenant tenant) const {
  const auto found = by_tenant_.find(tenant);
  return found == by_tenant_.end() ? 0 : found->second;
}

void UnsentBodies::hold(AttemptNumber attempt, LaneTenant tenant, std::size_t bytes) {
  let_go(attempt);
  if (bytes == 0) return;
  bodies_.emplace(attempt, Body{tenant, bytes});
  by_tenant_[tenant] += bytes;
  held_ += bytes;
}

bool UnsentBodies::let_go(AttemptNumber attempt) {
  const auto found = bodies_.find(attempt);
  if (found == bodies_.end()) return false;
  const auto [tenant, bytes] = found->second;
  bodies_.erase(found);
  held_ -= bytes;
  const auto of_tenant = by_tenant_.find(tenant);
  if ((of_tenant->second -= bytes) == 0) by_tenant_.erase(of_tenant);
  return true;
}

}  // namespace postern::scheduler
