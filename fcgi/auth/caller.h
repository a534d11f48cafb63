// Who asks, and for whom: what every use-case is told.
#pragma once

#include <string>

namespace postern {

// Of those for whom nobody names one.
inline constexpr char kDefaultTenant[] = "default";

// `nobody` came without a credential. Each may what those before it may. `site_operator` is the
// role "operator": besides what an admin of its tenant may, it sees and does what concerns all
// tenants.
enum class Role { nobody, read, worker, admin, site_operator };

struct Caller {
  std::string tenant;
  Role role = Role::nobody;
  bool sandbox = false;       // what it makes is never delivered
  std::string identity = {};  // a key's name, a token's subject, ...; empty: it has none
  bool unchecked = false;     // "auth = none": nobody asked who it is
};

}  // namespace postern
