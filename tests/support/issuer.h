// An issuer of JSON Web Tokens with a key pair of its own, as an identity provider has.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "tests/support/jwt.h"

namespace postern::test {

class Issuer {
 public:
  static Issuer rsa(unsigned bits = 2048) {
    return {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}), true};
  }
  // `curve`: OpenSSL's name of it.
  static Issuer ec(const char* curve = "P-256") {
    return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve), false};
  }

  [[nodiscard]] std::string algorithm() const { return is_rsa_ ? "RS256" : "ES256"; }

  // As DER for P-256, which is not what a token wants.
  [[nodiscard]] std::string raw_signature(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    std::string out(2048, '\0');
    std::size_t size = out.size();
    EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key_.get(), nullptr);
    if (EVP_DigestSign(context.get(), bytes(out), &size, bytes(text), text.size()) != 1) {
      throw std::runtime_error("cannot sign");
    }
    out.resize(size);
    return out;
  }

  [[nodiscard]] std::string signature(const std::string& text) const {
    const std::string raw = raw_signature(text);
    if (is_rsa_) return raw;
    const unsigned char* at = bytes(raw);
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(raw.size()));
    std::string out(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes(out), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes(out) + 32, 32);
    ECDSA_SIG_free(pair);
    return out;
  }

  // A token; `header` is by default that of the algorithm, without a kid.
  [[nodiscard]] std::string token(const std::string& payload, std::string header = {}) const {
    if (header.empty()) header = R"({"alg":")" + algorithm() + R"("})";
    const std::string text = base64url(header) + "." + base64url(payload);
    return text + "." + base64url(signature(text));
  }

  // The public half in PEM, or the private one.
  [[nodiscard]] std::string pem(bool is_private = false) const {
    BIO* out = BIO_new(BIO_s_mem());
    if (is_private) {
      PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    } else {
      PEM_write_bio_PUBKEY(out, key_.get());
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(out, &text);
    std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(out);
    return pem;
  }

  // The public half as a JSON Web Key; `more` are further members, each with a comma in front.
  [[nodiscard]] std::string jwk(const std::string& more = {}) const {
    if (is_rsa_) {
      return R"({"kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
             number(OSSL_PKEY_PARAM_RSA_E) + "\"" + more + "}";
    }
    return R"({"kty":"EC","crv":"P-256","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, 32) +
           R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + "\"" + more + "}";
  }

 private:
  Issuer(EVP_PKEY* key, bool is_rsa) : key_(key, EVP_PKEY_free), is_rsa_(is_rsa) {
    if (!key_) throw std::runtime_error("cannot make a key");
  }
  static unsigned char* bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
  }
  static const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }
  [[nodiscard]] std::string number(const char* name, int size = 0) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    std::string out(static_cast<std::size_t>(size > 0 ? size : BN_num_bytes(value)), '\0');
    BN_bn2binpad(value, bytes(out), static_cast<int>(out.size()));
    BN_free(value);
    return base64url(out);
  }

  std::shared_ptr<EVP_PKEY> key_;
  bool is_rsa_;
};

}  // namespace postern::test
