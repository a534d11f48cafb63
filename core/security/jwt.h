// JSON Web Tokens as credentials: RFC 7519, signed with HMAC-SHA256 by a shared secret, or with
// RSA or P-256 by an issuer whose public key is known (RFC 7518: HS256, RS256, ES256). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/security/jwt_public_keys.h"
#include "core/time/time.h"

namespace postern {

// Bytes. A shorter secret can be found by brute force from a single token.
constexpr std::size_t kMinJwtSecret = 32;

struct JwtRules {
  bool require_exp = true;    // false: a token without `exp` never expires
  std::string audience = {};  // what `aud` must hold; empty: a token with an `aud` is for others
  Seconds leeway{60};         // tolerated clock difference, for `exp`, `nbf` and `iat`
};

// What tokens are checked with. HS256 uses `secrets` alone, RS256 and ES256 `public_keys` alone:
// the bytes of a public key are never a secret.
struct JwtKeys {
  std::vector<std::string> secrets = {};
  std::vector<JwtPublicKey> public_keys = {};
};

// The claims of a token; an absent one is empty.
struct JwtClaims {
  std::string subject, role, tenant;
};

// The claims of a token that is signed with one of `keys` and valid at `now`. The header's `alg`
// only selects among the keys of that algorithm, so that a token cannot choose how a key is used;
// of the public keys, its `kid` selects those of that name and those without one. `sub`, `role`
// and `tenant`, if present, must be strings that are not empty. Claims are read only after the
// signature was verified. Errors (unauthenticated), whose messages say what was found:
// "jwt_malformed", "jwt_algorithm" (not accepted, or no key of it is known), "jwt_key_unknown" (the
// `kid`), "jwt_signature", "jwt_expired", "jwt_not_yet" (`nbf`), "jwt_issued_later" (`iat`),
// "jwt_without_exp", "jwt_audience".
Result<JwtClaims> verify_jwt(std::string_view token, const JwtKeys& keys, Time now,
                             const JwtRules& rules);

}  // namespace postern
