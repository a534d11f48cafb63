#include "fcgi/api/concurrency_limit.h"

namespace postern {

Result<ConcurrencyLimit::Pass> ConcurrencyLimit::enter(const std::string& tenant) {
  {
    const std::lock_guard lock(mutex_);
    int& inside = inside_[tenant];
    if (inside >= limit_) {
      return Error{Errc::rate_limited, "list_in_progress", "",
                   "Another list is being read at the moment. Try again."};
    }
    ++inside;
  }
  return Pass(static_cast<void*>(this), [this, tenant](void*) { leave(tenant); });
}

void ConcurrencyLimit::leave(const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  const auto found = inside_.find(tenant);
  if (--found->second == 0) inside_.erase(found);
}

}  // namespace postern
