// The table of all settings: what each means, which programs use it, and how its value is read.
// config.cpp gets the values from flags, environment and file.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/program/config.h"

namespace postern {

// Where the programs look for their settings unless --config names another file.
inline constexpr char kSettingsFile[] = "/etc/postern/postern.conf";

// `fcgi_and_command`: the command looks at what the handlers are given.
enum class Users { all, daemons, fcgi, fcgi_and_command, scheduler };

struct Setting {
  // The name of the member of Settings and of the key in the file; the environment variable is the
  // same in capitals behind POSTERN_.
  const char* name;
  Users users;
  const char* placeholder;  // nullptr: a switch
  const char* expected;     // completes "it must be ..."
  const char* fallback;     // the default, spelled as in the file
  const char* meaning;
  // Writes `value` into its member of Settings; false when it is not what `expected` says.
  bool (*set)(Settings&, const std::string& value);
  bool is_list = false;  // may be given several times
};

// All settings, in the order in which they are documented.
std::span<const Setting> all_settings();

// A sentence about settings that are wrong only in combination; nullopt when there are none.
std::optional<std::string> settings_conflict(const Settings& settings);

}  // namespace postern
