// Where the daemons keep what must outlive them.
#pragma once

#include <string>
#include <vector>

#include "core/program/config.h"

namespace postern {

// Of this daemon: `state_dir`, else systemd's $STATE_DIRECTORY; empty: nowhere.
std::string state_folder(const Settings& settings);

// Where the command finds those of this host's daemons, of which some may not exist: `state_dir`,
// else /var/lib/postern, and the folders "fcgi" and "scheduler" in it, as the units have them.
std::vector<std::string> state_folders(const Settings& settings);

}  // namespace postern
