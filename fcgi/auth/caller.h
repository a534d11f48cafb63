// Who asks, and for whom: what every use-case is told.
#pragma once

#include <string>

namespace postern {

// Of those for whom nobody names one.
inline constexpr char kDefaultTenant[] = "default";

enum class Role { read, worker, admin };

struct Caller {
  std::string tenant;
  Role role = Role::read;
  bool sandbox = false;  // what it makes is never delivered
};

}  // namespace postern
