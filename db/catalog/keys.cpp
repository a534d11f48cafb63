#include "db/catalog/keys.h"

#include <functional>
#include <utility>

#include "db/catalog/schedulers.h"
#include "db/pg/rows.h"

namespace postern::db {
namespace {

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// Tells a taken name and a missing tenant apart from real faults.
Made made(PgConnection& connection, const Statement& statement, const Params& params,
          const std::function<void(const PgResult&)>& look = {}) {
  try {
    const auto result = connection.exec(statement, params);
    if (look) look(result);
    return Made::yes;
  } catch (const PgError& error) {
    if (error.is_unique_violation()) return Made::name_taken;
    if (error.is_foreign_key_violation()) return Made::no_tenant;
    throw;
  }
}

}  // namespace

constexpr Statement kAuthenticate{"authenticate",
                                  "SELECT name, role, tenant FROM postern.authenticate($1)"};

std::optional<Identity> authenticate(PgConnection& connection, const Sha256& hash) {
  const auto row = connection.exec(kAuthenticate, Params().bytea(view(hash)));
  if (row.rows() == 0) return std::nullopt;
  return Identity{std::string(row.text(0, row.column("name"))),
                  std::string(row.text(0, row.column("role"))),
                  std::string(row.text(0, row.column("tenant")))};
}

Params params_of(const NewKey& key) {
  Params params;
  params.bytea(view(key.hash)).text(key.name).text(key.role).text(key.tenant);
  params.boolean(key.sandbox).time(key.expires_at);
  return params;
}

constexpr Statement kCreateKey{"", R"sql(
  INSERT INTO postern.api_key (hash, name, role, tenant, sandbox, expires_at) VALUES ($1, $2, $3, $4, $5, $6))sql"};

Made create_key(PgConnection& connection, const NewKey& key) {
  return made(connection, kCreateKey, params_of(key));
}

constexpr Statement kListKeys{"", R"sql(
  SELECT name, role, tenant, sandbox, created_at, last_used_at, expires_at, revoked_at
    FROM postern.api_key ORDER BY tenant, created_at)sql"};

constexpr Column<KeyInfo> kKeyColumns[] = {
    {"name", [](KeyInfo& key, const Value& value) { key.name = value.text(); }},
    {"role", [](KeyInfo& key, const Value& value) { key.role = value.text(); }},
    {"tenant", [](KeyInfo& key, const Value& value) { key.tenant = value.text(); }},
    {"sandbox", [](KeyInfo& key, const Value& value) { key.sandbox = value.boolean(); }},
    {"created_at", [](KeyInfo& key, const Value& value) { key.created_at = value.time(); }},
    {"last_used_at",
     [](KeyInfo& key, const Value& value) { key.last_used_at = value.time_or_null(); }},
    {"expires_at", [](KeyInfo& key, const Value& value) { key.expires_at = value.time_or_null(); }},
    {"revoked_at", [](KeyInfo& key, const Value& value) { key.revoked_at = value.time_or_null(); }},
};

std::vector<KeyInfo> list_keys(PgConnection& connection) {
  const auto rows = connection.exec(kListKeys);
  return RowReader<KeyInfo>(rows, kKeyColumns).all();
}

constexpr Statement kKeysOf{"keys_of", R"sql(
  SELECT name, role, tenant, sandbox, created_at, last_used_at, expires_at, revoked_at FROM postern.list_keys($1, $2, $3))sql"};

std::vector<KeyInfo> keys_of(PgConnection& connection, std::string_view tenant, int working,
                             int ended) {
  const auto rows = connection.exec(kKeysOf, Params().text(tenant).int4(working).int4(ended));
  return RowReader<KeyInfo>(rows, kKeyColumns).all();
}

constexpr Statement kMakeKey{"make_key",
                             "SELECT postern.create_key($1, $2, $3, $4, $5, $6, $7, $8)"};

Made make_key(PgConnection& connection, const NewKey& key, int most, int kept, Time& made_at) {
  std::optional<Time> at;
  const Made done = made(connection, kMakeKey, params_of(key).int4(most).int4(kept),
                         [&](const PgResult& row) { at = row.time_or_null(0, 0); });
  if (done != Made::yes) return done;
  if (!at) return Made::too_many;
  made_at = *at;
  return Made::yes;
}

constexpr Statement kEndKey{"end_key", R"sql(
  SELECT name, role, tenant, sandbox, created_at, last_used_at, expires_at, revoked_at FROM postern.revoke_key($1, $2, $3))sql"};

std::optional<KeyInfo> end_key(PgConnection& connection, std::string_view tenant,
                               std::string_view name, bool by_operator) {
  const auto row = connection.exec(kEndKey, Params().text(tenant).text(name).boolean(by_operator));
  if (row.rows() == 0) return std::nullopt;
  return RowReader<KeyInfo>(row, kKeyColumns).all().front();
}

constexpr Statement kRevokeKey{"", R"sql(
  UPDATE postern.api_key SET revoked_at = now()
   WHERE tenant = $1 AND name = $2 AND revoked_at IS NULL)sql"};

bool revoke_key(PgConnection& connection, std::string_view tenant, std::string_view name) {
  return connection.exec(kRevokeKey, Params().text(tenant).text(name)).affected() > 0;
}

constexpr Statement kCreateTenant{"", R"sql(
  WITH made AS (INSERT INTO postern.tenant (name) VALUES ($1) RETURNING name)
  INSERT INTO postern.tenant_secret (tenant, secret) SELECT name, $2 FROM made)sql"};

Made create_tenant(PgConnection& connection, std::string_view name, std::string_view secret) {
  return made(connection, kCreateTenant, Params().text(name).text(secret));
}

constexpr Statement kListTenants{"",
                                 "SELECT name, created_at, state, moved_to FROM postern.tenant "
                                 "WHERE name > $1 ORDER BY name LIMIT $2"};

std::vector<TenantInfo> list_tenants(PgConnection& connection, std::string_view after, int limit) {
  const auto rows = connection.exec(kListTenants, Params().text(after).int4(limit));
  std::vector<TenantInfo> out;
  const int name = rows.column("name"), created_at = rows.column("created_at"),
            state = rows.column("state"), moved_to = rows.column("moved_to");
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({std::string(rows.text(i, name)), rows.time(i, created_at),
                   std::string(rows.text(i, state)), std::string(rows.text(i, moved_to))});
  }
  return out;
}

constexpr Statement kTenantsAfter{"tenants_after", R"sql(
  SELECT t.name, t.created_at, postern.count_keys(t.name) AS keys,
         (SELECT count(*) FROM (SELECT FROM postern.queue q WHERE q.tenant = t.name LIMIT $3) n) AS queues,
         (SELECT coalesce(sum(g.ready + g.delayed + g.active + g.blocked), 0)::bigint
            FROM postern.queue_gauge g WHERE g.tenant = t.name) AS tasks_live
    FROM postern.tenant t WHERE t.name > $1 ORDER BY t.name LIMIT $2)sql"};

std::vector<TenantNumbers> tenants_after(PgConnection& connection, std::string_view after,
                                         int limit, int most_queues) {
  const auto rows =
      connection.exec(kTenantsAfter, Params().text(after).int4(limit).int4(most_queues));
  const bool measured = schedulers_heard(connection).up > 0;
  std::vector<TenantNumbers> out;
  const int name = rows.column("name"), created_at = rows.column("created_at"),
            queues = rows.column("queues"), keys = rows.column("keys"),
            tasks_live = rows.column("tasks_live");
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({std::string(rows.text(i, name)), rows.time(i, created_at),
                   rows.integer(i, queues), rows.integer(i, keys),
                   measured ? rows.integer_or_null(i, tasks_live) : std::nullopt});
  }
  return out;
}

constexpr Statement kMakeTenant{"make_tenant", "SELECT postern.create_tenant($1, $2)"};

std::optional<Time> make_tenant(PgConnection& connection, std::string_view name,
                                std::string_view secret) {
  return connection.exec(kMakeTenant, Params().text(name).text(secret)).time_or_null(0, 0);
}

constexpr Statement kHasTenant{"", "SELECT FROM postern.tenant WHERE name = $1"};

bool has_tenant(PgConnection& connection, std::string_view name) {
  return connection.exec(kHasTenant, Params().text(name)).rows() == 1;
}

constexpr Statement kSecrets{"", R"sql(
  SELECT secret, CASE WHEN previous_until > now() THEN previous END AS previous,
         CASE WHEN previous_until > now() THEN previous_until END AS previous_until
    FROM postern.tenant_secret WHERE tenant = $1)sql"};

std::optional<Secrets> tenant_secrets(PgConnection& connection, std::string_view tenant) {
  const auto row = connection.exec(kSecrets, Params().text(tenant));
  if (row.rows() == 0) return std::nullopt;
  return Secrets{std::string(row.text(0, row.column("secret"))),
                 std::string(row.text(0, row.column("previous"))),
                 row.time_or_null(0, row.column("previous_until"))};
}

constexpr Statement kRotate{"", R"sql(
  UPDATE postern.tenant_secret
     SET previous = secret, previous_until = now() + $3 * interval '1 second', secret = $2
   WHERE tenant = $1 AND ($4 OR previous_until IS NULL OR previous_until <= now()))sql"};

bool rotate_secret(PgConnection& connection, std::string_view tenant, std::string_view secret,
                   Seconds overlap, bool force) {
  return connection
             .exec(kRotate, Params().text(tenant).text(secret).int8(overlap.count()).boolean(force))
             .affected() > 0;
}

}  // namespace postern::db
