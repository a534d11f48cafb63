#include "fcgi/api/quotas.h"

#include <fmt/format.h>

#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr std::chrono::seconds kKnownFor{2};
constexpr std::size_t kMaxCached = 10'000;

Error exceeded(std::string_view field, std::string_view what, int limit, std::string_view setting,
               std::string_view advice) {
  Error error = conflict(
      "quota_exceeded",
      fmt::format("The tenant has {} already, and may have {} ({}): {}, or have the limit raised.",
                  what, limit, setting, advice));
  error.field = field;
  return error;
}

}  // namespace

Result<void> Quotas::check(db::Quota what, std::string_view tenant, std::string_view name,
                           std::string_view field) {
  return read_from(pool_,
                   [&](auto& connection) { return check(connection, what, tenant, name, field); });
}

Result<void> Quotas::check(db::PgConnection& connection, db::Quota what, std::string_view tenant,
                           std::string_view name, std::string_view field) {
  struct Kind {
    int limit;
    const char *things, *setting;
  };
  const Kind kinds[] = {{limits_.queues, "that many queues", "quota_queues"},
                        {limits_.endpoints, "that many endpoints", "quota_endpoints"},
                        {limits_.schedules, "that many schedules", "quota_schedules"}};
  const auto& [limit, things, setting] = kinds[static_cast<int>(what)];
  if (limit == 0 || !db::is_over_quota(connection, what, tenant, name, limit)) return {};
  return exceeded(field, things, limit, setting, "delete some that are not used");
}

Result<void> Quotas::check_task(const TaskSpec& task, std::int64_t lane,
                                std::string_view queue_field, std::string_view target_field) {
  if (limits_.waiting == 0 && limits_.lanes == 0) return {};
  const auto seen = load(task.tenant);
  if (limits_.waiting > 0 && seen.waiting >= limits_.waiting) {
    return exceeded(queue_field, "that many tasks waiting", limits_.waiting, "quota_waiting",
                    "wait until they are delivered, or purge a queue");
  }
  if (limits_.lanes > 0 && seen.lanes >= limits_.lanes &&
      !read_from(pool_, [&](auto& connection) { return db::is_lane_in_use(connection, lane); })) {
    return exceeded(target_field, "tasks for that many pairs of a queue and a host", limits_.lanes,
                    "quota_lanes", "wait until they are delivered, or use fewer queues or hosts");
  }
  return {};
}

// Whoever finds an entry too old renews it while the others still use it.
db::TenantLoad Quotas::load(const std::string& tenant) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = seen_.find(tenant); found != seen_.end()) {
      if (now < found->second.good_until) return found->second.load;
      found->second.good_until = now + kKnownFor;
    }
  }
  const auto load =
      read_from(pool_, [&](auto& connection) { return db::tenant_load(connection, tenant); });
  const std::lock_guard lock(mutex_);
  if (seen_.size() >= kMaxCached) seen_.clear();
  seen_.insert_or_assign(tenant, Seen{load, now + kKnownFor});
  return load;
}

}  // namespace postern
