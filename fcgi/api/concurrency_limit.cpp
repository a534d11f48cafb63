#include "fcgi/api/concurrency_limit.h"

#include <utility>

namespace postern {

// REQUIRES, as those below: the lock is held.
bool ConcurrencyLimit::has_place(const Tenant& tenant) const {
  return inside_ < options_.places && tenant.inside < options_.share;
}

ConcurrencyLimit::Pass ConcurrencyLimit::admit(const std::string& tenant, Tenant& who) {
  Pass pass(static_cast<void*>(this), [this, tenant](void*) { leave(tenant); });
  ++who.inside;
  ++inside_;
  return pass;
}

ConcurrencyLimit::Pass ConcurrencyLimit::enter(const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  const auto found = tenants_.find(tenant);
  if (found == tenants_.end()) {
    if (!has_place({})) return {};
    return admit(tenant, tenants_[tenant]);
  }
  // Who waits in line is first.
  if (!found->second.line.empty() || !has_place(found->second)) return {};
  return admit(tenant, found->second);
}

bool ConcurrencyLimit::line_up(const std::string& tenant, Work work) {
  Pass pass;
  {
    const std::lock_guard lock(mutex_);
    Tenant& who = tenants_[tenant];
    if (who.line.empty() && has_place(who)) {
      pass = admit(tenant, who);
    } else if (who.line.size() < options_.line) {
      if (who.line.empty()) next_.push_back(tenant);
      who.line.push_back({std::chrono::steady_clock::now(), std::move(work)});
      return true;
    } else {
      if (who.inside == 0 && who.line.empty()) tenants_.erase(tenant);
      return false;
    }
  }
  work(std::move(pass));
  return true;
}

// Takes those who have waited for too long out of their lines.
std::vector<ConcurrencyLimit::Work> ConcurrencyLimit::take_tired() {
  std::vector<Work> tired;
  const auto before = std::chrono::steady_clock::now() - options_.patience;
  std::erase_if(next_, [&](const std::string& tenant) {
    const auto found = tenants_.find(tenant);
    auto& line = found->second.line;
    while (!line.empty() && line.front().since < before) {
      tired.push_back(std::move(line.front().work));
      line.pop_front();
    }
    if (!line.empty()) return false;
    if (found->second.inside == 0) tenants_.erase(found);
    return true;
  });
  return tired;
}

void ConcurrencyLimit::leave(const std::string& tenant) {
  Work work;
  Pass pass;
  std::vector<Work> tired;
  {
    const std::lock_guard lock(mutex_);
    --inside_;
    const auto left = tenants_.find(tenant);
    if (--left->second.inside == 0 && left->second.line.empty()) tenants_.erase(left);
    for (auto each = next_.begin(); each != next_.end(); ++each) {
      const std::string next = *each;
      Tenant& who = tenants_.find(next)->second;
      if (!has_place(who)) continue;
      work = std::move(who.line.front().work);
      who.line.pop_front();
      pass = admit(next, who);
      next_.erase(each);
      if (!who.line.empty()) next_.push_back(next);
      break;
    }
    tired = take_tired();
  }
  if (work) work(std::move(pass));
  for (const Work& each : tired) each({});
}

}  // namespace postern
