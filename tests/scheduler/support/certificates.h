// Certificates made on the spot, for tests of TLS.
#pragma once

#include <memory>
#include <string>

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;

namespace postern::scheduler::test {

struct FreeTls {
  void operator()(evp_pkey_st* key) const;
  void operator()(x509_st* certificate) const;
  void operator()(ssl_ctx_st* context) const;
};

// An authority with a file of its own certificate, which goes away with it.
class Authority {
 public:
  Authority();
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& file() const { return file_; }

  struct Wish {
    std::string name = "receiver.test";
    bool expired = false;
    bool self_signed = false;
    int newest_version = 0;  // e.g. TLS1_1_VERSION; 0: whatever OpenSSL has
  };
  // A server's side of TLS with such a certificate.
  std::unique_ptr<ssl_ctx_st, FreeTls> server(const Wish& wish) const;

 private:
  std::unique_ptr<evp_pkey_st, FreeTls> key_;
  std::unique_ptr<x509_st, FreeTls> certificate_;
  std::string file_;
};

}  // namespace postern::scheduler::test
