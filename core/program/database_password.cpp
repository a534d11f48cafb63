#include "core/program/database_password.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

namespace postern {

std::string database_password_file(const Settings& settings, Program program,
                                   std::string_view role) {
  if (!settings.database_password_file.empty()) return settings.database_password_file;
  const auto there = [](const std::string& file) { return access(file.c_str(), F_OK) == 0; };
  const auto of_role = fmt::format("{}.{}", kDatabasePassword, role);
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder != nullptr && *folder != '\0') {
    for (const auto& name : {std::string(kDatabasePassword), of_role}) {
      if (auto file = fmt::format("{}/{}", folder, name); there(file)) return file;
    }
  }
  if (program != Program::admin || geteuid() != 0) return "";
  auto file = fmt::format("{}/{}", kCredentials, of_role);
  return there(file) ? file : "";
}

std::string read_password(const std::string& file, std::string_view name) {
  std::ifstream input(file);
  struct stat status {};
  std::string password;
  if (!input || stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw std::runtime_error(fmt::format("{}: cannot read {}", name, file));
  }
  if ((status.st_mode & S_IRWXO) != 0) {
    throw std::runtime_error(fmt::format(
        "{0}: {1} is open to other users; take that from them: chmod o= {1}", name, file));
  }
  if (!std::getline(input, password) || password.empty()) {
    throw std::runtime_error(fmt::format("{}: {} has no password in it", name, file));
  }
  return password;
}

std::string read_database_password(const Settings& settings, Program program,
                                   std::string_view role) {
  const auto file = database_password_file(settings, program, role);
  return file.empty() ? "" : read_password(file, "database_password_file");
}

}  // namespace postern
