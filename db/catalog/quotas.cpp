#include "db/catalog/quotas.h"

#include <string>

namespace postern::db {
namespace {

std::string over_quota_sql(std::string_view table) {
  const std::string of_tenant = " FROM postern." + std::string(table) + " WHERE tenant = $1";
  return "SELECT NOT EXISTS (SELECT" + of_tenant + " AND name = $2) AND (SELECT count(*) FROM (" +
         "SELECT" + of_tenant + " LIMIT $3) n) >= $3";
}

const BuiltStatement kOverQuota[] = {
    {"queues_over_quota", over_quota_sql("queue")},
    {"endpoints_over_quota", over_quota_sql("endpoint")},
    {"schedules_over_quota", over_quota_sql("schedule")},
};

constexpr Statement kTenantLoad{
    "tenant_load", "SELECT waiting, lanes FROM postern.tenant_gauge WHERE tenant = $1"};

constexpr Statement kLaneInUse{
    "lane_in_use",
    "SELECT EXISTS (SELECT FROM postern.task WHERE lane = $1 AND state = 'ready' "
    "ORDER BY 100 - priority, run_at LIMIT 1)"};

}  // namespace

bool is_over_quota(PgConnection& connection, Quota what, std::string_view tenant,
                   std::string_view name, int most) {
  return connection
      .exec(kOverQuota[static_cast<int>(what)], Params().text(tenant).text(name).int8(most))
      .boolean(0, 0);
}

TenantLoad tenant_load(PgConnection& connection, std::string_view tenant) {
  const auto row = connection.exec(kTenantLoad, Params().text(tenant));
  if (row.rows() == 0) return {};
  return {row.integer(0, 0), row.integer(0, 1)};
}

bool is_lane_in_use(PgConnection& connection, std::int64_t lane) {
  return connection.exec(kLaneInUse, Params().int8(lane)).boolean(0, 0);
}

}  // namespace postern::db
