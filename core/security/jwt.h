// JSON Web Tokens as credentials: RFC 7519, signed with HMAC-SHA256 (RFC 7518, HS256) and with
// nothing else. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

// A shorter secret can be guessed from one token.
constexpr std::size_t kMinJwtSecret = 32;

struct JwtRules {
  bool require_exp = true;  // false: a token without `exp` never ends
  Seconds leeway{60};       // for clocks that differ, of `exp` and `nbf`
};

// What a token says; what it does not say is empty.
struct JwtClaims {
  std::string subject, role, tenant;
};

// The claims of a token that one of `secrets` has signed and whose time it is. The header's
// algorithm must be HS256: a token cannot choose how it is checked. A claim that is there is text
// and not empty. Errors (unauthenticated): "jwt_malformed", "jwt_algorithm", "jwt_signature",
// "jwt_expired", "jwt_not_yet", "jwt_without_exp". Claims are read only when the signature is
// right.
Result<JwtClaims> verify_jwt(std::string_view token, std::span<const std::string> secrets, Time now,
                             const JwtRules& rules);

}  // namespace postern
