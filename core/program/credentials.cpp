#include "core/program/credentials.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

namespace postern {

std::string credential_file(std::string_view name) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0') return {};
  std::string path = fmt::format("{}/{}", folder, name);
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 && (errno == ENOENT || errno == ENOTDIR)) return {};
  return path;
}

}  // namespace postern
