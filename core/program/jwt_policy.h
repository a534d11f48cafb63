// By what JSON Web Tokens are judged here, and where its secrets and keys come from.
#pragma once

#include "core/program/config.h"
#include "core/security/jwt.h"

namespace postern {

struct JwtPolicy {
  JwtKeys keys = {};  // none: no token is taken
  JwtRules rules = {};
};

// The rules of the settings; the secrets of the environment (POSTERN_JWT_SECRET, and
// TASKMQ_JWT_SECRET, which TaskMQ's set-ups have) and of `jwt_secret_file`, one a line, so that a
// new one and the one it replaces work side by side; the public keys of `jwt_keys_file`. Without a
// `jwt_secret_file` the credential `jwt-secrets` is read, if the unit loads it. Files are read
// once, here: new keys need a restart, as new secrets do. Throws std::runtime_error with a sentence
// that names the setting and never a secret, when a file cannot be read or is empty, a secret is
// shorter than kMinJwtSecret or is a public key, or the keys are not valid (parse_jwt_public_keys).
JwtPolicy read_jwt_policy(const Settings& settings);

// The public keys of `jwt_keys_file` alone; none when it is not set. Throws likewise.
std::vector<JwtPublicKey> read_jwt_public_keys(const Settings& settings);

}  // namespace postern
