#include "fcgi/auth/jwt_keys.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

namespace postern {
namespace {

void add(JwtKeys& keys, std::string secret, std::string_view from) {
  if (secret.size() < kMinJwtSecret) {
    throw std::runtime_error(fmt::format(
        "the JWT secret of {} has {} bytes; it must have {} at least, or it can be guessed from a "
        "token. Make one with: openssl rand -base64 48",
        from, secret.size(), kMinJwtSecret));
  }
  keys.secrets.push_back(std::move(secret));
}

}  // namespace

JwtKeys read_jwt_keys(const std::string& file, bool require_exp) {
  JwtKeys keys;
  keys.rules.require_exp = require_exp;
  for (const char* variable : {"POSTERN_JWT_SECRET", "TASKMQ_JWT_SECRET"}) {
    if (const char* secret = std::getenv(variable); secret != nullptr && *secret != '\0') {
      add(keys, secret, variable);
    }
  }
  if (file.empty()) return keys;
  std::ifstream lines(file);
  if (!lines) throw std::runtime_error(fmt::format("jwt_secret_file: cannot read {}", file));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) add(keys, line, file);
  }
  return keys;
}

}  // namespace postern
