#include "core/base/crypto.h"

#include <limits>
#include <memory>
#include <stdexcept>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace postern {
namespace {

// SHA-256, fetched once: with EVP_sha256() OpenSSL 3 would search its providers at every call.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (method == nullptr) throw std::runtime_error("OpenSSL has no SHA-256");
  return method;
}

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

// A context of HMAC-SHA-256 without a key. Making one costs more than an HMAC of a short text.
MacContext hmac_context() {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  MacContext context(hmac != nullptr ? EVP_MAC_CTX_new(hmac) : nullptr);
  EVP_MAC_free(hmac);  // the context holds it too
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_MAC_CTX_set_params(context.get(), parameters) != 1) {
    throw std::runtime_error("OpenSSL has no HMAC-SHA-256");
  }
  return context;
}

}  // namespace

Sha256 sha256(std::string_view data) {
  // Making a context took a third of the time of a short text.
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  Sha256 out;
  if (!context || EVP_DigestInit_ex(context.get(), sha256_method(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), data.data(), data.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL: SHA-256 failed");
  }
  return out;
}

Sha256 hmac_sha256(std::string_view key, std::string_view data) {
  thread_local const MacContext context = hmac_context();
  const auto bytes = [](std::string_view text) {
    // OpenSSL reads a null key as "the key of the call before".
    return reinterpret_cast<const unsigned char*>(text.empty() ? "" : text.data());
  };
  Sha256 out;
  if (EVP_MAC_init(context.get(), bytes(key), key.size(), nullptr) != 1 ||
      EVP_MAC_update(context.get(), bytes(data), data.size()) != 1 ||
      EVP_MAC_final(context.get(), out.data(), nullptr, out.size()) != 1) {
    throw std::runtime_error("OpenSSL: HMAC-SHA-256 failed");
  }
  return out;
}

void random_bytes(std::span<std::uint8_t> out) {
  if (out.size() > std::size_t{std::numeric_limits<int>::max()} ||
      RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    throw std::runtime_error("OpenSSL: no random bytes");
  }
}

std::string random_base62(std::size_t n) {
  constexpr std::string_view kAlphabet =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::uint8_t kFair = 248;  // 4 * 62: bytes above it would favour the first characters
  std::string out;
  out.reserve(n);
  std::array<std::uint8_t, 64> pool;
  while (out.size() < n) {
    random_bytes(pool);
    for (const std::uint8_t byte : pool) {
      if (byte < kFair && out.size() < n) out += kAlphabet[byte % 62];
    }
  }
  return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace postern
