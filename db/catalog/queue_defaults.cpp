#include "db/catalog/queue_defaults.h"

namespace postern::db {

namespace {

constexpr Column<QueueDefaults> kColumns[] = {
    {"max_retries",
     [](QueueDefaults& queue, const Value& value) { queue.max_retries = value.int4(); }},
    {"max_tries",
     [](QueueDefaults& queue, const Value& value) {
       if (!value.is_null()) queue.max_tries = value.int4();
     }},
    {"retry_policy",
     [](QueueDefaults& queue, const Value& value) { queue.retry_policy = value.text(); }},
    {"timeout_ms", [](QueueDefaults& queue,
                      const Value& value) { queue.timeout = Milliseconds{value.integer()}; }},
    {"endpoint", [](QueueDefaults& queue, const Value& value) { queue.endpoint = value.text(); }},
    {"bounded", [](QueueDefaults& queue, const Value& value) { queue.bounded = value.boolean(); },
     "max_entries IS NOT NULL"},
};

const BuiltStatement kQueueDefaults{"queue_defaults", "SELECT " + select_list(kColumns) + R"sql(
    FROM postern.queue WHERE tenant = $1 AND name = $2)sql"};

}  // namespace

std::span<const Column<QueueDefaults>> queue_default_columns() { return kColumns; }

std::optional<QueueDefaults> queue_defaults(PgConnection& connection, std::string_view tenant,
                                            std::string_view queue) {
  const auto row = connection.exec(kQueueDefaults, Params().text(tenant).text(queue));
  if (row.rows() == 0) return std::nullopt;
  return RowReader<QueueDefaults>(row, kColumns)(0);
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

constexpr Statement kResolveEndpoint{"resolve_endpoint",
                                     "SELECT name FROM postern.endpoint_of($1, $2)"};

std::optional<std::string> resolve_endpoint(PgConnection& connection, std::string_view tenant,
                                            std::string_view name) {
  const auto row = connection.exec(kResolveEndpoint, Params().text(tenant).text(name));
  if (row.rows() == 0) return std::nullopt;
  return std::string(row.text(0, 0));
}

}  // namespace postern::db
