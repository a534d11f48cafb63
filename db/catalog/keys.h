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

struct KeyInfo {
  std::string name, role, tenant;
  bool sandbox = false;
  Time created_at = {};
  std::optional<Time> last_used_at = {}, expires_at = {}, revoked_at = {};
};

enum class Made { yes, name_taken, no_tenant, too_many };

// What the handlers do for an admin or an operator who asks over HTTP.

struct NewKey {
  Sha256 hash;
  std::string_view name, role, tenant;
  bool sandbox;
  std::optional<Time> expires_at;
};

// Those that work by name, then those that have ended, the last first; at most so many of either.
std::vector<KeyInfo> keys_of(PgConnection& connection, std::string_view tenant, int working,
                             int ended);
// Makes it unless `most` of the tenant's work already; `made_at` is then set. Of those that have
// ended it keeps the last `kept`. Throws for the role operator, which is given on the host alone.
Made make_key(PgConnection& connection, const NewKey& key, int most, int kept, Time& made_at);
// The key, which does not work any more, unless it is an operator's and `by_operator` is not set;
// nullopt: there is none.
std::optional<KeyInfo> end_key(PgConnection& connection, std::string_view tenant,
                               std::string_view name, bool by_operator);

struct TenantNumbers {
  std::string name;
  Time created_at;
  std::int64_t queues = 0, keys = 0;       // of keys those that work
  std::optional<std::int64_t> tasks_live;  // as the schedulers measured last; nullopt: none is up
};
// By name, those behind `after`. Queues are counted up to `most_queues` of each.
std::vector<TenantNumbers> tenants_after(PgConnection& connection, std::string_view after,
                                         int limit, int most_queues);
// When it was made; nullopt: there is one of this name.
std::optional<Time> make_tenant(PgConnection& connection, std::string_view name,
                                std::string_view secret);

// The rest is for the operator's command and the owner's role.

Made create_key(PgConnection& connection, const NewKey& key);
std::vector<KeyInfo> list_keys(PgConnection& connection);
// False: no such key that is not revoked already.
bool revoke_key(PgConnection& connection, std::string_view tenant, std::string_view name);

struct TenantInfo {
  std::string name;
  Time created_at;
  std::string state;     // see db/catalog/placement.h
  std::string moved_to;  // the label of a cell
};
Made create_tenant(PgConnection& connection, std::string_view name, std::string_view secret);
// By name, those behind `after`.
std::vector<TenantInfo> list_tenants(PgConnection& connection, std::string_view after, int limit);
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
