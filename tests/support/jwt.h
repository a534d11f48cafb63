// Makes JSON Web Tokens as an issuer does.
#pragma once

#include <algorithm>
#include <string>

#include "core/base/base64.h"
#include "core/base/crypto.h"

namespace postern::test {

inline std::string base64url(std::string bytes) {
  std::string text = base64_encode(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

inline std::string make_jwt(const std::string& payload, const std::string& secret,
                            const std::string& header = R"({"alg":"HS256","typ":"JWT"})") {
  const std::string text = base64url(header) + "." + base64url(payload);
  const Sha256 mac = hmac_sha256(secret, text);
  return text + "." + base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

}  // namespace postern::test
