#include "core/base/public_key.h"

#include <limits>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace postern {
namespace {

constexpr char kP256[] = "prime256v1";  // OpenSSL's name of it
constexpr std::size_t kCoordinate = 32;

template <auto free>
struct Free {
  template <class T>
  void operator()(T* thing) const {
    free(thing);
  }
};
template <class T, auto free>
using Owned = std::unique_ptr<T, Free<free>>;
using Number = Owned<BIGNUM, BN_clear_free>;
using Context = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Key = std::shared_ptr<EVP_PKEY>;

// OpenSSL keeps a queue of errors for each thread: ours leave none behind.
struct ErrorsOfOpenSsl {
  ~ErrorsOfOpenSsl() { ERR_clear_error(); }
};

Error wrong(std::string message) {
  return {Errc::invalid_argument, "public_key_invalid", "", std::move(message)};
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Key owned(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

Number number(std::string_view text) {
  return Number(BN_bin2bn(bytes(text), static_cast<int>(text.size()), nullptr));
}

// A key of type `type` from what was put into `builder`; null when the numbers make none.
Key from_parts(const char* type, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM, OSSL_PARAM_free> parts(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parts || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parts.get()) != 1) {
    return nullptr;
  }
  return owned(key);
}

bool is_p256(const EVP_PKEY* key) {
  char group[32] = {};
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                        nullptr) == 1 &&
         std::string_view(group) == kP256;
}

// Whether its numbers are those of a key, such as a point on the curve.
bool is_sound(EVP_PKEY* key) {
  const Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context && EVP_PKEY_public_check(context.get()) == 1;
}

// DER, which OpenSSL wants, of the 64 bytes of r and s; empty when they are none.
std::string der_of(std::string_view signature) {
  if (signature.size() != 2 * kCoordinate) return {};
  const Owned<ECDSA_SIG, ECDSA_SIG_free> pair(ECDSA_SIG_new());
  Number r = number(signature.substr(0, kCoordinate)), s = number(signature.substr(kCoordinate));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  // They belong to the pair now.
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

struct Block {
  std::string label, der;
};

// The key of a block; null when it is damaged.
Key key_of(const Block& block) {
  const unsigned char* at = bytes(block.der);
  const auto size = static_cast<long>(block.der.size());
  if (block.label == PEM_STRING_PUBLIC) return owned(d2i_PUBKEY(nullptr, &at, size));
  const Owned<X509, X509_free> certificate(d2i_X509(nullptr, &at, size));
  return certificate ? owned(X509_get_pubkey(certificate.get())) : nullptr;
}

}  // namespace

Result<PublicKey> PublicKey::checked(Key key) {
  if (is_p256(key.get())) {
    if (!is_sound(key.get())) return wrong("its point is not on the curve P-256");
    return PublicKey(std::move(key), Kind::p256);
  }
  if (EVP_PKEY_is_a(key.get(), "RSA") != 1) return wrong("it is neither of RSA nor of P-256");
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < kMinRsaBits || bits > kMaxRsaBits) {
    return wrong(fmt::format("it is of RSA with {} bits; it must have {} to {}", bits, kMinRsaBits,
                             kMaxRsaBits));
  }
  if (!is_sound(key.get())) return wrong("its numbers are not those of an RSA key");
  return PublicKey(std::move(key), Kind::rsa);
}

Result<PublicKey> PublicKey::rsa(std::string_view modulus, std::string_view exponent) {
  const ErrorsOfOpenSsl after;
  // BN_bin2bn takes an int; the bits are counted below.
  constexpr std::size_t kMost = kMaxRsaBits / 8 + 1;
  if (modulus.size() > kMost || exponent.size() > kMost) return wrong("its numbers are too long");
  const Number n = number(modulus), e = number(exponent);
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    throw std::runtime_error("OpenSSL: no memory for a key");
  }
  Key key = from_parts("RSA", builder.get());
  if (!key) return wrong("its numbers are not those of an RSA key");
  return checked(std::move(key));
}

Result<PublicKey> PublicKey::p256(std::string_view x, std::string_view y) {
  const ErrorsOfOpenSsl after;
  if (x.size() != kCoordinate || y.size() != kCoordinate) {
    return wrong("a coordinate of P-256 must have 32 bytes");
  }
  const std::string point = fmt::format("\x04{}{}", x, y);  // 4: not compressed
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, kP256, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    throw std::runtime_error("OpenSSL: no memory for a key");
  }
  Key key = from_parts("EC", builder.get());
  if (!key) return wrong("its point is not on the curve P-256");
  return checked(std::move(key));
}

Result<std::vector<PublicKey>> PublicKey::from_pem(std::string_view text) {
  const ErrorsOfOpenSsl after;
  ERR_clear_error();
  if (text.size() > std::size_t{std::numeric_limits<int>::max()}) return wrong("it is too long");
  const Owned<BIO, BIO_free> input(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!input) throw std::runtime_error("OpenSSL: no memory for a text");
  std::vector<PublicKey> keys;
  for (int count = 1;; ++count) {
    char *label = nullptr, *header = nullptr;
    unsigned char* der = nullptr;
    long size = 0;
    if (PEM_read_bio(input.get(), &label, &header, &der, &size) != 1) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) return keys;
      return wrong(fmt::format("PEM block {} is damaged", count));
    }
    const Block block{label, {reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}};
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, static_cast<std::size_t>(size));
    if (block.label.find("PRIVATE KEY") != std::string::npos) {
      return wrong(fmt::format(
          "PEM block {} is a private key, which belongs to the issuer alone: give its public half",
          count));
    }
    if (block.label != PEM_STRING_PUBLIC && block.label != PEM_STRING_X509) {
      return wrong(fmt::format("PEM block {} is neither a PUBLIC KEY nor a CERTIFICATE", count));
    }
    Key key = key_of(block);
    if (!key) return wrong(fmt::format("PEM block {} is damaged", count));
    auto checked_key = checked(std::move(key));
    if (!checked_key) {
      return wrong(
          fmt::format("PEM block {} holds no usable key: {}", count, checked_key.error().message));
    }
    keys.push_back(std::move(*checked_key));
  }
}

bool PublicKey::verifies(std::string_view data, std::string_view signature) const {
  const ErrorsOfOpenSsl after;
  std::string der;
  if (kind_ == Kind::p256) {
    der = der_of(signature);
    if (der.empty()) return false;
    signature = der;
  }
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  // The padding of RSA is PKCS #1 v1.5 unless something else is asked for.
  return context &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key_.get(),
                                 nullptr) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(data),
                          data.size()) == 1;
}

}  // namespace postern
