#include "core/program/state_folder.h"

#include <cstdlib>

namespace postern {

std::string state_folder(const Settings& settings) {
  if (!settings.state_dir.empty()) return settings.state_dir;
  const char* const given = std::getenv("STATE_DIRECTORY");
  const std::string folders = given == nullptr ? "" : given;
  return folders.substr(0, folders.find(':'));
}

std::vector<std::string> state_folders(const Settings& settings) {
  const std::string top = settings.state_dir.empty() ? "/var/lib/postern" : settings.state_dir;
  return {top, top + "/fcgi", top + "/scheduler"};
}

}  // namespace postern
