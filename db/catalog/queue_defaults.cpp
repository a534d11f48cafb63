#include "db/catalog/queue_defaults.h"

namespace postern::db {

QueueDefaults defaults_from(const PgResult& result, int row, int col) {
  QueueDefaults out;
  out.max_retries = static_cast<int>(result.integer(row, col));
  if (const auto tries = result.integer_or_null(row, col + 1)) {
    out.max_tries = static_cast<int>(*tries);
  }
  out.retry_policy = result.text(row, col + 2);
  out.timeout = Milliseconds{result.integer(row, col + 3)};
  out.endpoint = result.text(row, col + 4);
  out.bounded = result.boolean(row, col + 5);
  return out;
}

constexpr Statement kQueueDefaults{"queue_defaults", "SELECT " POSTERN_QUEUE_DEFAULTS R"sql(
    FROM postern.queue WHERE tenant = $1 AND name = $2)sql"};

std::optional<QueueDefaults> queue_defaults(PgConnection& connection, std::string_view tenant,
                                            std::string_view queue) {
  const auto row = connection.exec(kQueueDefaults, Params().text(tenant).text(queue));
  if (row.rows() == 0) return std::nullopt;
  return defaults_from(row, 0, 0);
}

constexpr Statement kMakeQueue{"make_queue", R"sql(
  INSERT INTO postern.queue (tenant, name, paused)
  SELECT name, $2, $3 FROM postern.tenant WHERE name = $1 ON CONFLICT DO NOTHING)sql"};
constexpr Statement kTenantExists{"tenant_exists",
                                  "SELECT EXISTS (SELECT FROM postern.tenant WHERE name = $1)"};

bool make_queue(PgConnection& connection, std::string_view tenant, std::string_view queue,
                bool paused) {
  if (connection.exec(kMakeQueue, Params().text(tenant).text(queue).boolean(paused)).affected() >
      0) {
    return true;
  }
  return connection.exec(kTenantExists, Params().text(tenant)).boolean(0, 0);
}

// As postern.allow does it when the task is delivered.
constexpr Statement kResolveEndpoint{"resolve_endpoint", R"sql(
  SELECT name FROM postern.endpoint WHERE tenant = $1 AND starts_with($2, name)
   ORDER BY length(name) DESC LIMIT 1)sql"};

std::optional<std::string> resolve_endpoint(PgConnection& connection, std::string_view tenant,
                                            std::string_view name) {
  const auto row = connection.exec(kResolveEndpoint, Params().text(tenant).text(name));
  if (row.rows() == 0) return std::nullopt;
  return std::string(row.text(0, 0));
}

constexpr Statement kMakeLane{"make_lane", R"sql(
  INSERT INTO postern.lane (id, tenant, queue, target) VALUES ($1, $2, $3, $4)
  ON CONFLICT DO NOTHING)sql"};

void make_lane(PgConnection& connection, std::int64_t id, std::string_view tenant,
               std::string_view queue, std::string_view target) {
  connection.exec(kMakeLane, Params().int8(id).text(tenant).text(queue).text(target));
}

}  // namespace postern::db
