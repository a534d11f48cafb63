// JSON Web Tokens as credentials: RFC 7519, signed with HMAC-SHA256 (RFC 7518, HS256) only. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

// Bytes. A shorter secret can be found by brute force from a single token.
constexpr std::size_t kMinJwtSecret = 32;

struct JwtRules {
  bool require_exp = true;  // false: a token without `exp` never expires
  Seconds leeway{60};       // tolerated clock difference, for `exp` and `nbf`
};

// The claims of a token; an absent one is empty.
struct JwtClaims {
  std::string subject, role, tenant;
};

// The claims of a token that is signed with one of `secrets` and valid at `now`. The header's
// algorithm must be HS256, so that a token cannot choose how it is checked. A claim that is present
// must be a string that is not empty. Claims are read only after the signature was verified. Errors
// (unauthenticated): "jwt_malformed", "jwt_algorithm", "jwt_signature", "jwt_expired",
// "jwt_not_yet", "jwt_without_exp".
Result<JwtClaims> verify_jwt(std::string_view token, std::span<const std::string> secrets, Time now,
                             const JwtRules& rules);

}  // namespace postern
