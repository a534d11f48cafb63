#include "db/catalog/endpoints.h"

#include <fmt/format.h>

#include "core/base/headers_json.h"
#include "core/base/url.h"
#include "db/catalog/notices.h"
#include "db/catalog/schedulers.h"
#include "db/pg/rows.h"

namespace postern::db {
namespace {

// $1 to $15 of the statements that write settings; of each clearable one, first whether it was
// said.
Params settings_params(std::string_view tenant, std::string_view name,
                       const EndpointSettings& settings) {
  const auto int4 = [](Params& params, const std::optional<std::int64_t>& value) {
    value ? params.int4(static_cast<std::int32_t>(*value)) : params.null(Oid::int4);
  };
  const auto timeout = settings.timeout.value_or(std::nullopt);
  const auto limit = settings.rate_limit.value_or(std::nullopt);

  Params params;
  params.text(tenant).text(name);
  settings.url ? params.text(parse_url(*settings.url, "url")->canonical()) : params.null(Oid::text);
  settings.method ? params.text(*settings.method) : params.null(Oid::text);
  settings.headers ? params.text(headers_json(*settings.headers)) : params.null(Oid::text);
  settings.paused ? params.boolean(*settings.paused) : params.null(Oid::boolean);
  params.boolean(settings.timeout.has_value());
  timeout ? int4(params, timeout->count()) : int4(params, std::nullopt);
  params.boolean(settings.max_in_flight.has_value());
  int4(params, settings.max_in_flight.value_or(std::nullopt));
  params.boolean(settings.rate_limit.has_value());
  if (limit) {
    int4(params, limit->count);
    int4(params, limit->period.count());
    int4(params, limit->burst);
  } else {
    params.null(Oid::int4).null(Oid::int4).null(Oid::int4);
  }
  settings.secret ? params.text(*settings.secret) : params.null(Oid::text);
  return params;
}

// The schedulers look at once: what was held back may go.
const std::string kTell = fmt::format("pg_notify('postern_ready', '{}')", kLimitsChanged);

constexpr char kInsertEndpoint[] = R"sql(
  INSERT INTO postern.endpoint AS e (tenant, name, url, method, headers, paused, timeout_ms, max_in_flight, rate_count,
                                     rate_period, rate_burst, secret)
  SELECT t.name, $2, $3, coalesce($4, 'POST'), nullif($5, ''), coalesce($6, false), CASE WHEN $7 THEN $8 END,
         CASE WHEN $9 THEN $10 END, CASE WHEN $11 THEN $12 END, $13 * interval '1 second', $14, nullif($15, '')
    FROM postern.tenant t WHERE t.name = $1)sql";

const BuiltStatement kMake{
    "", std::string(kInsertEndpoint) + " ON CONFLICT DO NOTHING RETURNING " + kTell};
constexpr Statement kTenantExists{"", "SELECT EXISTS (SELECT FROM postern.tenant WHERE name = $1)"};

// The bucket stays as it is, or a change would fill it.
const BuiltStatement kPut{"", std::string(kInsertEndpoint) + R"sql(
  ON CONFLICT (tenant, name) DO UPDATE
     SET url = excluded.url, method = excluded.method, headers = excluded.headers,
         paused = coalesce($6, e.paused), timeout_ms = excluded.timeout_ms,
         max_in_flight = excluded.max_in_flight, rate_count = excluded.rate_count,
         rate_period = excluded.rate_period, rate_burst = excluded.rate_burst, updated_at = now()
  RETURNING xmax = 0 AS made, )sql" +
                                  kTell};

const BuiltStatement kChange{"", std::string(R"sql(
  UPDATE postern.endpoint
     SET url = coalesce($3, url), method = coalesce($4, method),
         headers = CASE WHEN $5 IS NULL THEN headers ELSE nullif($5, '') END,
         paused = coalesce($6, paused),
         timeout_ms = CASE WHEN $7 THEN $8 ELSE timeout_ms END,
         max_in_flight = CASE WHEN $9 THEN $10 ELSE max_in_flight END,
         rate_count = CASE WHEN $11 THEN $12 ELSE rate_count END,
         rate_period = CASE WHEN $11 THEN $13 * interval '1 second' ELSE rate_period END,
         rate_burst = CASE WHEN $11 THEN $14 ELSE rate_burst END,
         secret = CASE WHEN $15 = '' THEN NULL ELSE secret END,
         previous = CASE WHEN $15 = '' THEN NULL ELSE previous END,
         previous_until = CASE WHEN $15 = '' THEN NULL ELSE previous_until END,
         updated_at = now()
   WHERE tenant = $1 AND name = $2
  RETURNING )sql") + kTell};

const BuiltStatement kDelete{"", std::string(R"sql(
  DELETE FROM postern.endpoint WHERE tenant = $1 AND name = $2 RETURNING )sql") +
                                     kTell};

// Of a rate limit the count is read first.
constexpr Column<Endpoint> kColumns[] = {
    {"name", [](Endpoint& endpoint, const Value& value) { endpoint.name = value.text(); }},
    {"url", [](Endpoint& endpoint, const Value& value) { endpoint.url = value.text(); }},
    {"method", [](Endpoint& endpoint, const Value& value) { endpoint.method = value.text(); }},
    {"headers", [](Endpoint& endpoint,
                   const Value& value) { endpoint.headers = headers_from_json(value.text()); }},
    {"timeout_ms",
     [](Endpoint& endpoint, const Value& value) {
       if (!value.is_null()) endpoint.timeout = Milliseconds{value.integer()};
     }},
    {"max_in_flight", [](Endpoint& endpoint,
                         const Value& value) { endpoint.max_in_flight = value.integer_or_null(); }},
    {"rate_count",
     [](Endpoint& endpoint, const Value& value) {
       if (!value.is_null()) endpoint.rate_limit = RateLimit{value.integer(), {}, {}};
     }},
    {"rate_seconds",
     [](Endpoint& endpoint, const Value& value) {
       if (endpoint.rate_limit) endpoint.rate_limit->period = Seconds{value.integer()};
     },
     "extract(epoch FROM rate_period)::bigint"},
    {"rate_burst",
     [](Endpoint& endpoint, const Value& value) {
       if (endpoint.rate_limit) endpoint.rate_limit->burst = value.integer_or_null();
     }},
    {"paused", [](Endpoint& endpoint, const Value& value) { endpoint.paused = value.boolean(); }},
    {"own_secret",
     [](Endpoint& endpoint, const Value& value) { endpoint.own_secret = value.boolean(); },
     "secret IS NOT NULL"},
    {"previous_until",
     [](Endpoint& endpoint, const Value& value) { endpoint.previous_until = value.time_or_null(); },
     "CASE WHEN previous_until > now() THEN previous_until END"},
    {"created_at",
     [](Endpoint& endpoint, const Value& value) { endpoint.created_at = value.time(); }},
    {"updated_at",
     [](Endpoint& endpoint, const Value& value) { endpoint.updated_at = value.time(); }},
};

const BuiltStatement kGet{"", "SELECT " + select_list(kColumns) + R"sql(
  FROM postern.endpoint WHERE tenant = $1 AND name = $2)sql"};
const BuiltStatement kList{"", "SELECT " + select_list(kColumns) + R"sql(
  FROM postern.endpoint WHERE tenant = $1 AND ($2 IS NULL OR name > $2) ORDER BY name LIMIT $3)sql"};

}  // namespace

EndpointMade make_endpoint(PgConnection& connection, std::string_view tenant, std::string_view name,
                           const EndpointSettings& settings) {
  if (connection.exec(kMake, settings_params(tenant, name, settings)).rows() > 0) {
    return EndpointMade::yes;
  }
  const bool tenant_there = connection.exec(kTenantExists, Params().text(tenant)).boolean(0, 0);
  return tenant_there ? EndpointMade::name_taken : EndpointMade::no_tenant;
}

std::optional<bool> put_endpoint(PgConnection& connection, std::string_view tenant,
                                 std::string_view name, const EndpointSettings& settings) {
  const auto row = connection.exec(kPut, settings_params(tenant, name, settings));
  if (row.rows() == 0) return std::nullopt;
  return row.boolean(0, row.column("made"));
}

bool change_endpoint(PgConnection& connection, std::string_view tenant, std::string_view name,
                     const EndpointSettings& settings) {
  return connection.exec(kChange, settings_params(tenant, name, settings)).rows() > 0;
}

bool delete_endpoint(PgConnection& connection, std::string_view tenant, std::string_view name) {
  return connection.exec(kDelete, Params().text(tenant).text(name)).rows() > 0;
}

std::optional<Endpoint> get_endpoint(PgConnection& connection, std::string_view tenant,
                                     std::string_view name) {
  const auto row = connection.exec(kGet, Params().text(tenant).text(name));
  if (row.rows() == 0) return std::nullopt;
  return RowReader<Endpoint>(row, kColumns)(0);
}

std::vector<Endpoint> list_endpoints(PgConnection& connection, std::string_view tenant,
                                     const std::optional<std::string>& after, int limit) {
  Params params;
  params.text(tenant);
  after ? params.text(*after) : params.null(Oid::text);
  const auto rows = connection.exec(kList, params.int4(limit));
  return RowReader<Endpoint>(rows, kColumns).all();
}

// A previous secret of '' stands for the tenant's, which this role may not read
// (db/engine/claim.cpp).
constexpr Statement kRotate{"", R"sql(
  UPDATE postern.endpoint
     SET previous = coalesce(secret, ''), previous_until = now() + $4 * interval '1 second',
         secret = $3, updated_at = now()
   WHERE tenant = $1 AND name = $2 AND ($5 OR previous_until IS NULL OR previous_until <= now()))sql"};

bool rotate_endpoint_secret(PgConnection& connection, std::string_view tenant,
                            std::string_view name, std::string_view secret, Seconds overlap,
                            bool force) {
  Params params;
  params.text(tenant).text(name).text(secret).int8(overlap.count()).boolean(force);
  return connection.exec(kRotate, params).affected() > 0;
}

// --- recovery
// ---------------------------------------------------------------------------------------

constexpr Statement kFailedTasks{"", R"sql(
  SELECT f.id FROM postern.task_finished f
   WHERE f.tenant = $1 AND f.state = 'failed' AND f.endpoint IS NOT NULL AND f.reason <> 'unreachable'
     AND f.finished_at >= $3 AND f.finished_at < coalesce($4, 'infinity')
     AND coalesce(f.resolved, (SELECT p.name FROM postern.endpoint_of($1, f.endpoint) p)) = $2
   ORDER BY f.finished_at, f.id LIMIT $5)sql"};

std::vector<TaskId> failed_tasks_of(PgConnection& connection, std::string_view tenant,
                                    std::string_view name, Time since, std::optional<Time> until,
                                    int limit) {
  const auto rows = connection.exec(
      kFailedTasks, Params().text(tenant).text(name).time(since).time(until).int4(limit));
  std::vector<TaskId> out;
  out.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) out.push_back(rows.uuid(i, 0));
  return out;
}

constexpr Statement kRetryFailed{"", "SELECT postern.retry_failed($1, $2, $3)"};

std::int64_t retry_failed(PgConnection& connection, std::string_view tenant,
                          std::span<const TaskId> tasks, const Uuid& instance) {
  Array ids(Oid::uuid);
  for (const auto& id : tasks) ids.uuid(id);
  return connection.exec(kRetryFailed, Params().text(tenant).array(ids).uuid(instance))
      .integer(0, 0);
}

// --- health
// -----------------------------------------------------------------------------------------

// A row for each bucket: $4 of them, so that the sums need no array of arrays.
constexpr Statement kHealth{"", R"sql(
  WITH seen AS MATERIALIZED (
    SELECT m.attempts, m.failed, m.durations
      FROM postern.endpoint_minute m JOIN postern.endpoint e ON e.tenant = m.tenant AND e.name = m.endpoint
     WHERE m.tenant = $1 AND m.endpoint = $2
       AND m.minute >= greatest(now() - $3 * interval '1 second', date_trunc('minute', e.created_at)))
  SELECT (SELECT count(*) FROM (SELECT FROM postern.lease WHERE tenant = $1 AND resolved = $2 LIMIT $5) l) AS in_flight,
         (SELECT coalesce(sum(attempts), 0)::bigint FROM seen) AS attempts,
         (SELECT coalesce(sum(failed), 0)::bigint FROM seen) AS failed,
         (SELECT coalesce(sum(durations[n]), 0)::bigint FROM seen) AS took_so_long
    FROM generate_series(1, $4) n ORDER BY n)sql"};

// The worst state of the lanes that go to this endpoint. $3, $4: lanes that schedulers hold back,
// and their states.
constexpr Statement kBreaker{"", R"sql(
  SELECT s.state
    FROM unnest($3::int8[], $4::text[]) AS s(lane, state)
    JOIN postern.lane l ON l.id = s.lane
   WHERE l.tenant = $1 AND starts_with(l.target, 'endpoint:')
     AND (SELECT p.name FROM postern.endpoint_of($1, substr(l.target, 10)) p) = $2
   ORDER BY array_position(ARRAY['open', 'half_open', 'throttled'], s.state) LIMIT 1)sql"};

HealthCounts endpoint_health(PgConnection& connection, std::string_view tenant,
                             std::string_view name, Seconds window) {
  HealthCounts health;
  Params params;
  params.text(tenant).text(name).int8(window.count());
  params.int4(static_cast<std::int32_t>(health.durations.size())).int8(kMostInFlight);
  const auto rows = connection.exec(kHealth, params);
  const int in_flight = rows.column("in_flight"), attempts = rows.column("attempts"),
            failed = rows.column("failed"), took_so_long = rows.column("took_so_long");
  for (int i = 0; i < rows.rows(); ++i) {
    health.in_flight = rows.integer(i, in_flight);
    health.attempts = rows.integer(i, attempts);
    health.failed = rows.integer(i, failed);
    health.durations[static_cast<std::size_t>(i)] = rows.integer(i, took_so_long);
  }
  Array lane(Oid::int8), state(Oid::text);
  for (const auto& held : lanes_held_back(schedulers(connection))) {
    lane.int8(held.lane);
    state.text(held.state);
  }
  const auto breaker =
      connection.exec(kBreaker, Params().text(tenant).text(name).array(lane).array(state));
  if (breaker.rows() > 0) health.breaker = breaker.text(0, 0);
  return health;
}

// Each scheduler writes rows of its own, so nobody waits.
const Statement kAddEndpointMinutes{"", R"sql(
  INSERT INTO postern.endpoint_minute AS m (tenant, endpoint, minute, instance, attempts, failed, durations)
  SELECT tenant, endpoint, minute, $1, attempts, failed, durations::bigint[]
    FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::int8[], $6::int8[], $7::text[])
      AS r(tenant, endpoint, minute, attempts, failed, durations)
  ON CONFLICT (tenant, endpoint, minute, instance) DO UPDATE
     SET attempts = m.attempts + excluded.attempts, failed = m.failed + excluded.failed,
         durations = (SELECT array_agg(a + b ORDER BY n)
                        FROM unnest(m.durations, excluded.durations) WITH ORDINALITY AS u(a, b, n)))sql"};

Params endpoint_minutes_params(const Uuid& instance, std::span<const EndpointMinute> minutes) {
  Array tenant(Oid::text), endpoint(Oid::text), minute(Oid::timestamptz), attempts(Oid::int8),
      failed(Oid::int8), durations(Oid::text);
  for (const auto& each : minutes) {
    tenant.text(each.tenant);
    endpoint.text(each.endpoint);
    minute.time(each.minute);
    attempts.int8(each.attempts);
    failed.int8(each.failed);
    std::string literal = "{";
    for (const auto count : each.durations) literal += std::to_string(count) + ',';
    literal.back() = '}';
    durations.text(literal);
  }
  Params params;
  params.uuid(instance);
  for (const auto* column : {&tenant, &endpoint, &minute, &attempts, &failed, &durations}) {
    params.array(*column);
  }
  return params;
}

// From endpoint to endpoint by the primary key, whose last part the minutes are: those of the last
// day are not read.
const Statement kExpireEndpointMinutes{"expire_endpoint_minutes", R"sql(
  WITH RECURSIVE looked AS (
    SELECT $1::text COLLATE "C" AS tenant, $2::text COLLATE "C" AS endpoint, 0 AS n
    UNION ALL
    SELECT m.tenant, m.endpoint, looked.n + 1
      FROM looked CROSS JOIN LATERAL (
        SELECT m.tenant, m.endpoint FROM postern.endpoint_minute m
         WHERE (m.tenant, m.endpoint) > (looked.tenant, looked.endpoint)
         ORDER BY m.tenant, m.endpoint LIMIT 1) m
     WHERE looked.n < 100),
  expired AS (
    DELETE FROM postern.endpoint_minute m
     USING (SELECT o.* FROM looked l CROSS JOIN LATERAL (
              SELECT tenant, endpoint, minute, instance FROM postern.endpoint_minute
               WHERE tenant = l.tenant AND endpoint = l.endpoint AND minute < now() - interval '1 day'
               ORDER BY minute LIMIT 200) o OFFSET 0) o
     WHERE m.tenant = o.tenant AND m.endpoint = o.endpoint AND m.minute = o.minute AND m.instance = o.instance)
  SELECT tenant, endpoint FROM looked WHERE n = 100)sql"};

Params expire_endpoint_minutes_params(const EndpointPlace& from) {
  Params params;
  params.text(from.tenant).text(from.endpoint);
  return params;
}

std::optional<EndpointPlace> endpoints_behind(const PgResult& result) {
  if (result.rows() == 0) return std::nullopt;
  return EndpointPlace{std::string(result.text(0, 0)), std::string(result.text(0, 1))};
}

}  // namespace postern::db
