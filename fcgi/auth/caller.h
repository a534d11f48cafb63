// Who asks, and for whom: what every use-case is told.
#pragma once

#include <string>

namespace postern {

// Of those for whom nobody names one.
inline constexpr char kDefaultTenant[] = "default";

// Each may what those before it may. `site_operator` is the role "operator": besides what an admin
// of its tenant may, it sees and does what concerns all tenants.
enum class Role { read, worker, admin, site_operator };

struct Caller {
  std::string tenant;
  Role role = Role::read;
  bool sandbox = false;  // what it makes is never delivered
};

}  // namespace postern
