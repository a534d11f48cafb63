// The secrets that JSON Web Tokens are checked with, and where they come from.
#pragma once

#include <string>
#include <vector>

#include "core/security/jwt.h"

namespace postern {

struct JwtKeys {
  std::vector<std::string> secrets;  // none: no token is taken
  JwtRules rules;
};

// Those of the environment (POSTERN_JWT_SECRET, and TASKMQ_JWT_SECRET, which TaskMQ's set-ups have)
// and of `file`, one a line, so that a new one and the one it replaces work side by side; an empty
// name is no file. Throws std::runtime_error with a sentence when the file cannot be read or a
// secret is shorter than kMinJwtSecret.
JwtKeys read_jwt_keys(const std::string& file, bool require_exp);

}  // namespace postern
