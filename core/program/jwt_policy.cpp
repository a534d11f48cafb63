#include "core/program/jwt_policy.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/program/credentials.h"

namespace postern {
namespace {

// Whoever knows a public key could sign with it, if it were taken for a secret.
bool looks_public(std::string_view secret) {
  return secret.find("-----BEGIN ") != secret.npos ||
         (secret.starts_with('{') && secret.find("\"kty\"") != secret.npos);
}

void add(JwtKeys& keys, std::string secret, std::string_view from) {
  if (looks_public(secret)) {
    throw std::runtime_error(fmt::format(
        "the JWT secret of {} is a key in PEM or JSON; public keys belong into jwt_keys_file",
        from));
  }
  if (secret.size() < kMinJwtSecret) {
    throw std::runtime_error(fmt::format(
        "the JWT secret of {} has {} bytes; it must have {} at least, or it can be guessed from a "
        "token. Make one with: openssl rand -base64 48",
        from, secret.size(), kMinJwtSecret));
  }
  keys.secrets.push_back(std::move(secret));
}

std::runtime_error cannot_read(std::string_view setting, std::string_view file) {
  return std::runtime_error(fmt::format("{}: cannot read {}", setting, file));
}

}  // namespace

std::vector<JwtPublicKey> read_jwt_public_keys(const Settings& settings) {
  const std::string& file = settings.jwt_keys_file;
  if (file.empty()) return {};
  std::ifstream input(file, std::ios::binary);
  std::string text(kMaxJwtKeysFile + 1, '\0');  // one byte too many tells that there are more
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A folder can be opened, but not read.
  if (!input.is_open() || input.bad()) throw cannot_read("jwt_keys_file", file);
  text.resize(static_cast<std::size_t>(input.gcount()));
  auto keys = parse_jwt_public_keys(text);
  if (!keys) {
    throw std::runtime_error(fmt::format("jwt_keys_file: {} {}", file, keys.error().message));
  }
  return std::move(*keys);
}

JwtPolicy read_jwt_policy(const Settings& settings) {
  JwtPolicy policy;
  policy.rules.require_exp = settings.jwt_require_exp;
  policy.rules.audience = settings.jwt_audience;
  for (const char* variable : {"POSTERN_JWT_SECRET", "TASKMQ_JWT_SECRET"}) {
    if (const char* secret = std::getenv(variable); secret != nullptr && *secret != '\0') {
      add(policy.keys, secret, variable);
    }
  }
  const std::string file =
      settings.jwt_secret_file.empty() ? credential_file("jwt-secrets") : settings.jwt_secret_file;
  if (!file.empty()) {
    std::ifstream lines(file);
    const std::size_t before = policy.keys.secrets.size();
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) add(policy.keys, line, file);
    }
    if (!lines.is_open() || lines.bad()) throw cannot_read("jwt_secret_file", file);
    if (policy.keys.secrets.size() == before) {
      throw std::runtime_error(fmt::format("jwt_secret_file: {} holds no secret", file));
    }
  }
  policy.keys.public_keys = read_jwt_public_keys(settings);
  return policy;
}

}  // namespace postern
