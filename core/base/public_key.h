// Public keys, and the check of what was signed with their private half, over OpenSSL.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY; only public_key.cpp includes its headers

namespace postern {

// Bits of an RSA modulus. A shorter one can be factored; a longer one makes each check slow.
constexpr int kMinRsaBits = 2048, kMaxRsaBits = 8192;

// A public key of RSA, or of the elliptic curve P-256. Copies share the key. Thread-safe.
class PublicKey {
 public:
  enum class Kind { rsa, p256 };

  // From the big-endian bytes of the numbers, as a JSON Web Key has them. A coordinate of P-256 has
  // 32 bytes. Error: invalid_argument, with what is wrong with the numbers as the message.
  static Result<PublicKey> rsa(std::string_view modulus, std::string_view exponent);
  static Result<PublicKey> p256(std::string_view x, std::string_view y);

  // Every PUBLIC KEY and CERTIFICATE of a text in PEM, in order; what stands between them is
  // ignored. Of a certificate only the key is looked at: not who signed it, and not its dates.
  // Error: invalid_argument for any other kind of block (as a private key), for one that is damaged
  // and for a key that this class cannot hold. The message names the block by its number.
  static Result<std::vector<PublicKey>> from_pem(std::string_view text);

  [[nodiscard]] Kind kind() const { return kind_; }

  // Whether `signature` is that of `data` with SHA-256: for RSA by PKCS #1 v1.5, for P-256 the 64
  // bytes of r and s (RFC 7518, sections 3.3 and 3.4). Takes 20 us for RSA with 2048 bits, and 50
  // to 60 us for P-256 or RSA with 4096 bits.
  [[nodiscard]] bool verifies(std::string_view data, std::string_view signature) const;

 private:
  PublicKey(std::shared_ptr<evp_pkey_st> key, Kind kind) : key_(std::move(key)), kind_(kind) {}
  static Result<PublicKey> checked(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  Kind kind_;
};

}  // namespace postern
