// The file of public keys that JSON Web Tokens are checked with: PEM, or a JSON Web Key Set (RFC
// 7517) as identity providers publish it. Pure: the file is read elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/public_key.h"

namespace postern {

// Keys, and bytes of the file. A token that names no key is tried with every key of its algorithm,
// which for 32 of them takes 2 ms.
constexpr std::size_t kMaxJwtPublicKeys = 32;
constexpr std::size_t kMaxJwtKeysFile = std::size_t{256} * 1024;

// A key, whose kind alone decides the algorithm: RS256 of RSA, ES256 of P-256.
struct JwtPublicKey {
  PublicKey key;
  std::string kid = {};  // empty: it has none, so tokens with any `kid` are tried with it
};

// The keys of `text`, 1 to kMaxJwtPublicKeys. A text that begins with "{" is a key set, any other
// is PEM (PublicKey::from_pem). In a set, keys for something else are left out: another `kty`,
// `crv` or `alg`, a `use` that is not "sig", `key_ops` without "verify". Error (invalid_argument,
// "jwt_keys_invalid"), whose message is what follows "the file": no usable key, too many, too many
// bytes, a damaged key, an RSA key under kMinRsaBits, a private or symmetric key.
Result<std::vector<JwtPublicKey>> parse_jwt_public_keys(std::string_view text);

}  // namespace postern
