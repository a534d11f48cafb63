#include "db/catalog/keys.h"

#include "db/pg/rows.h"

namespace postern::db {
namespace {

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// Tells a taken name and a missing tenant apart from real faults.
Made made(PgConnection& connection, const Statement& statement, const Params& params) {
  try {
    connection.exec(statement, params);
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

constexpr Statement kCreateKey{"", R"sql(
  INSERT INTO postern.api_key (hash, name, role, tenant, expires_at) VALUES ($1, $2, $3, $4, $5))sql"};

Made create_key(PgConnection& connection, const Sha256& hash, std::string_view name,
                std::string_view role, std::string_view tenant, std::optional<Time> expires_at) {
  return made(connection, kCreateKey,
              Params().bytea(view(hash)).text(name).text(role).text(tenant).time(expires_at));
}

constexpr Statement kListKeys{"", R"sql(
  SELECT name, role, tenant, created_at, last_used_at, expires_at, revoked_at
    FROM postern.api_key ORDER BY tenant, created_at)sql"};

constexpr Column<KeyInfo> kKeyColumns[] = {
    {"name", [](KeyInfo& key, const Cell& cell) { key.name = cell.text(); }},
    {"role", [](KeyInfo& key, const Cell& cell) { key.role = cell.text(); }},
    {"tenant", [](KeyInfo& key, const Cell& cell) { key.tenant = cell.text(); }},
    {"created_at", [](KeyInfo& key, const Cell& cell) { key.created_at = cell.time(); }},
    {"last_used_at",
     [](KeyInfo& key, const Cell& cell) { key.last_used_at = cell.time_or_null(); }},
    {"expires_at", [](KeyInfo& key, const Cell& cell) { key.expires_at = cell.time_or_null(); }},
    {"revoked_at", [](KeyInfo& key, const Cell& cell) { key.revoked_at = cell.time_or_null(); }},
};

std::vector<KeyInfo> list_keys(PgConnection& connection) {
  const auto rows = connection.exec(kListKeys);
  return RowReader<KeyInfo>(rows, kKeyColumns).all();
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

constexpr Statement kListTenants{"", "SELECT name, created_at FROM postern.tenant ORDER BY name"};

std::vector<TenantInfo> list_tenants(PgConnection& connection) {
  const auto rows = connection.exec(kListTenants);
  std::vector<TenantInfo> out;
  const int name = rows.column("name"), created_at = rows.column("created_at");
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({std::string(rows.text(i, name)), rows.time(i, created_at)});
  }
  return out;
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
