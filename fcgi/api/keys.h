// What can be done with API keys over HTTP: an admin sees, makes and ends those of its own tenant.
// Every rule is in here, dialects parse into these types and render from them, database faults are
// thrown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/time/time.h"
#include "db/catalog/keys.h"
#include "fcgi/api/pools.h"
#include "fcgi/auth/caller.h"

namespace postern {

// Thread-safe. Where nobody is asked who they are (Caller::unchecked) everything is refused:
// "identity_required" (forbidden).
class KeysApi {
 public:
  // `cell`: the label that new keys carry; empty: none.
  KeysApi(const Pools& pools, std::string cell)
      : pool_(pools.rest), reads_(pools.reads), cell_(std::move(cell)) {}

  struct Listed {
    std::vector<db::KeyInfo> keys;  // those that work by name, then the last that have ended
    bool more = false;              // there are more than are shown
  };
  Result<Listed> list(const Caller& caller);

  struct Wanted {
    std::string name, role;
    bool sandbox = false;
    std::optional<Time> expires_at;
  };
  struct Made {
    std::string text;  // told only here
    db::KeyInfo key;
  };
  // Errors: those of check_key_name, "role_invalid", "role_not_allowed"
  // (forbidden: the role operator, which is given on the host alone), "expires_at_invalid",
  // "key_already_exists" (duplicate), "quota_exceeded" (conflict), "tenant_not_found".
  Result<Made> create(const Caller& caller, const Wanted& wanted);

  // One that was revoked already stays as it is. Errors: "key_not_found", "role_not_allowed"
  // (forbidden: an operator's key, for one who is none).
  Result<db::KeyInfo> revoke(const Caller& caller, std::string_view name);

 private:
  db::Pool& pool_;
  db::Pool& reads_;
  const std::string cell_;
};

}  // namespace postern
