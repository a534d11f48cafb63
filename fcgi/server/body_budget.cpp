#include "fcgi/server/body_budget.h"

#include <algorithm>

namespace postern {

BodyBudget::Pass BodyBudget::enter(const std::string& tenant, std::size_t bytes) {
  const std::size_t all = bytes_ / 8 * 7, share = bytes_ / 4 * 3;
  const bool large = bytes > kSmall;
  if (large) bytes = std::min(bytes, share);
  {
    const std::lock_guard lock(mutex_);
    if (!large) {
      if (small_ + large_ + bytes > bytes_) return {};
      small_ += bytes;
    } else {
      const auto found = large_of_.find(tenant);
      const std::size_t held = found == large_of_.end() ? 0 : found->second;
      if (large_ + bytes > all || held + bytes > share || small_ + large_ + bytes > bytes_) {
        return {};
      }
      large_ += bytes;
      large_of_[tenant] = held + bytes;
    }
  }
  return Pass(static_cast<void*>(this), [this, tenant = large ? tenant : std::string(), bytes,
                                         large](void*) { leave(tenant, bytes, large); });
}

std::size_t BodyBudget::in_flight() const {
  const std::lock_guard lock(mutex_);
  return small_ + large_;
}

void BodyBudget::leave(const std::string& tenant, std::size_t bytes, bool large) {
  const std::lock_guard lock(mutex_);
  if (!large) {
    small_ -= bytes;
    return;
  }
  large_ -= bytes;
  const auto found = large_of_.find(tenant);
  if ((found->second -= bytes) == 0) large_of_.erase(found);
}

}  // namespace postern
