// What an operator can do with tenants over HTTP. Every rule is in here, dialects parse into these
// types and render from them, database faults are thrown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/time/time.h"
#include "db/catalog/keys.h"
#include "fcgi/api/pools.h"
#include "fcgi/auth/caller.h"

namespace postern {

// Thread-safe.
class TenantsApi {
 public:
  explicit TenantsApi(const Pools& pools) : pool_(pools.rest), reads_(pools.reads) {}

  struct Page {
    std::vector<db::TenantNumbers> tenants;
    bool more = false;
  };
  // By name, those behind `after`.
  Page list(std::string_view after, int limit);

  // Makes it, and the secret that signs its webhooks; returns when. Errors: those of check_tenant
  // ("tenant_invalid"), "tenant_already_exists" (duplicate).
  Result<Time> create(const Caller& caller, std::string_view name);

 private:
  db::Pool& pool_;
  db::Pool& reads_;
};

}  // namespace postern
