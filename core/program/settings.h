// The table of all settings: what each means, which programs use it, and how its value is read. How
// they come from flags, environment and file is config.cpp's affair.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/program/config.h"

namespace postern {

enum class Users { all, daemons, fcgi, scheduler };

struct Setting {
  // As in Settings and in the file; in the environment in capitals after POSTERN_.
  const char* name;
  Users users;
  const char* placeholder;  // nullptr: a switch
  const char* expected;     // completes "it must be ..."
  const char* fallback;     // the default as one would write it
  const char* meaning;
  // Reads `value` into its member of Settings; false when it is not what `expected` says.
  bool (*set)(Settings&, const std::string& value);
  bool is_list = false;  // may be given several times
};

// In the order in which they are documented.
std::span<const Setting> all_settings();

// nullopt: nothing is wrong; else a sentence about settings that are wrong only together.
std::optional<std::string> settings_conflict(const Settings& settings);

}  // namespace postern
