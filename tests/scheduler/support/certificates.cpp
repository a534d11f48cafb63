#include "tests/scheduler/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include <fmt/format.h>

namespace postern::scheduler::test {
namespace {

constexpr long kDay = 24 * 3600;

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL makes no certificate");
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  require(extension && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Not yet signed.
std::unique_ptr<X509, FreeTls> certificate_for(const std::string& name, EVP_PKEY* key, long until) {
  static long serial = 1;
  std::unique_ptr<X509, FreeTls> made(X509_new());
  require(made != nullptr);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -30 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), until);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return made;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  require(X509_sign(certificate, key, EVP_sha256()) > 0);
}

}  // namespace

void FreeTls::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void FreeTls::operator()(x509_st* certificate) const { X509_free(certificate); }
void FreeTls::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Authority::Authority() : key_(EVP_EC_gen("P-256")) {
  static int number = 0;
  ++number;
  certificate_ =
      certificate_for(fmt::format("Postern test authority {}", number), key_.get(), kDay);
  add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  sign(certificate_.get(), certificate_.get(), key_.get());
  file_ = fmt::format("/tmp/postern-test-ca-{}-{}.pem", getpid(), number);
  std::FILE* out = std::fopen(file_.c_str(), "w");
  require(out && PEM_write_X509(out, certificate_.get()) == 1);
  std::fclose(out);
}

Authority::~Authority() { std::remove(file_.c_str()); }

std::unique_ptr<ssl_ctx_st, FreeTls> Authority::server(const Wish& wish) const {
  const std::unique_ptr<EVP_PKEY, FreeTls> key(EVP_EC_gen("P-256"));
  const auto certificate = certificate_for(wish.name, key.get(), wish.expired ? -kDay : kDay);
  add_extension(certificate.get(), NID_subject_alt_name, "DNS:" + wish.name);
  if (wish.self_signed) {
    sign(certificate.get(), certificate.get(), key.get());
  } else {
    sign(certificate.get(), certificate_.get(), key_.get());
  }

  std::unique_ptr<SSL_CTX, FreeTls> context(SSL_CTX_new(TLS_server_method()));
  require(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
          SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  if (wish.newest_version != 0) {
    SSL_CTX_set_min_proto_version(context.get(), 0);
    SSL_CTX_set_max_proto_version(context.get(), wish.newest_version);
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");  // what old versions need
  }
  return context;
}

}  // namespace postern::scheduler::test
