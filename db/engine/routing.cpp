#include "db/engine/routing.h"

#include "db/engine/turns.h"
#include "db/tasks/columns.h"

namespace postern::db {
namespace {

constexpr int kTenantsAtOnce = 20;

}  // namespace

const BuiltStatement kUnrouted{
    "unrouted", R"sql(
  WITH RECURSIVE)sql" +
                    turns_sql("postern.task s WHERE s.lane IS NULL AND", "s.id", kTenantsAtOnce) +
                    R"sql(,
  shares AS MATERIALIZED (SELECT greatest(1, $2 / greatest(1, count(*))) AS of FROM turns)
  SELECT f.* FROM turns n CROSS JOIN LATERAL (
    SELECT )sql" + task_columns(Body::left_out) +
                    R"sql(
      FROM postern.task t WHERE t.lane IS NULL AND t.tenant = n.tenant
     ORDER BY t.tenant, t.id LIMIT (SELECT of FROM shares)) f
   ORDER BY n.place, n.tenant, f.id)sql"};

Params unrouted_params(std::string_view behind, int most) {
  Params params;
  params.text(behind).int8(most);
  return params;
}

std::vector<Task> unrouted_from(const PgResult& result) {
  std::vector<Task> out;
  const TaskReader read(result);
  out.reserve(static_cast<std::size_t>(result.rows()));
  for (int i = 0; i < result.rows(); ++i) out.push_back(read(i));
  return out;
}

const Statement kRoute{
    "route", "SELECT routed, ended FROM postern.route($1, $2, $3, $4, $5, $6, $7, $8, $9)"};

Params route_params(const Uuid& instance, std::span<const Routing> batch, int quota_waiting) {
  Array id(Oid::uuid), lane(Oid::int8), url(Oid::text), tenant(Oid::text), queue(Oid::text),
      reason(Oid::text), invalid(Oid::text);
  for (const auto& r : batch) {
    id.uuid(r.id);
    lane.int8(r.lane);
    url.text(r.url);
    tenant.text(r.tenant);
    queue.text(r.queue);
    reason.text(name(r.reason));
    invalid.text_or_null(r.invalid);
  }
  Params params;
  params.uuid(instance);
  for (const auto* column : {&id, &lane, &url, &tenant, &queue, &reason, &invalid}) {
    params.array(*column);
  }
  params.int8(quota_waiting);
  return params;
}

Routed routed_from(const PgResult& result) {
  return {result.integer(0, result.column("routed")), result.integer(0, result.column("ended"))};
}

}  // namespace postern::db
