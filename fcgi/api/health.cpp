#include "fcgi/api/health.h"

#include "core/program/clock.h"
#include "fcgi/auth/caller.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr std::size_t kMostKept = 256;  // tenants

}  // namespace

std::shared_ptr<const db::health::Report> HealthApi::report(const Caller& caller) {
  const bool all = caller.role == Role::site_operator && !caller.sandbox;
  const std::string tenant = all ? "" : caller.tenant;
  return kept_of(tenant)->get([&] {
    return read_from(pool_, [&](auto& connection) {
      return db::health::examine(connection, tenant, wall_clock());
    });
  });
}

std::shared_ptr<HealthApi::Kept> HealthApi::kept_of(const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  if (by_tenant_.size() >= kMostKept && !by_tenant_.contains(tenant)) {
    std::erase_if(by_tenant_, [](const auto& each) { return each.second.use_count() == 1; });
  }
  auto& kept = by_tenant_[tenant];
  if (!kept) kept = std::make_shared<Kept>(kept_);
  return kept;
}

}  // namespace postern
