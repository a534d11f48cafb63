// Who may call: tenants, their API keys and the secrets that sign their webhooks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/crypto.h"
#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

struct Identity {
  std::string name;
  std::string role;  // operator, admin, worker, read
  std::string tenant;
};

// The owner of the key with this SHA-256; nullopt when unknown, revoked or expired. May be called
// by the handlers' role, which cannot read the keys themselves.
std::optional<Identity> authenticate(PgConnection& connection, const Sha256& hash);

// The rest is for the operator's command and the owner's role.

struct KeyInfo {
  std::string name, role, tenant;
  Time created_at;
  std::optional<Time> last_used_at, expires_at, revoked_at;
};

enum class Made { yes, name_taken, no_tenant };
Made create_key(PgConnection& connection, const Sha256& hash, std::string_view name,
                std::string_view role, std::string_view tenant, std::optional<Time> expires_at);
std::vector<KeyInfo> list_keys(PgConnection& connection);
// False: no such key that is not revoked already.
bool revoke_key(PgConnection& connection, std::string_view tenant, std::string_view name);

struct TenantInfo {
  std::string name;
  Time created_at;
};
Made create_tenant(PgConnection& connection, std::string_view name, std::string_view secret);
std::vector<TenantInfo> list_tenants(PgConnection& connection);
bool has_tenant(PgConnection& connection, std::string_view name);

struct Secrets {
  std::string current;
  std::string previous;  // empty: none that still signs
  std::optional<Time> previous_until;
};
std::optional<Secrets> tenant_secrets(PgConnection& connection, std::string_view tenant);
// Makes `secret` the current one; the old one goes on signing for `overlap`. False: no such tenant,
// or an earlier rotation's overlap still runs and `force` is not set.
bool rotate_secret(PgConnection& connection, std::string_view tenant, std::string_view secret,
                   Seconds overlap, bool force);

}  // namespace postern::db
