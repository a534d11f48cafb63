#include <array>
#include <string>

#include "core/base/base64.h"
#include "core/base/crypto.h"
#include "core/security/jwt.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace postern;
using fuzz::require;

const std::array<std::string, 2> kSecrets = {"the secret of 32 bytes, not less",
                                             "and the one that was before it.."};

std::string base64url(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('=')) text.pop_back();
  return text;
}

}  // namespace

// A token as it stands, which nobody has signed; and a header and its claims, on two lines, signed.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  const Time now{std::chrono::sys_days{std::chrono::year{2026} / 10 / 21}};
  require(!verify_jwt(rest, kSecrets, now, {}), "nobody can sign without the secret");

  const auto header = fuzz::next_part(rest, '\n');
  std::string token = base64url(header) + "." + base64url(rest);
  const Sha256 mac = hmac_sha256(kSecrets[1], token);
  token += "." + base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
  if (const auto claims = verify_jwt(token, kSecrets, now, {})) {
    require(header.find("HS256") != header.npos, "the algorithm is not the token's choice");
    require(rest.find("exp") != rest.npos || rest.find('\\') != rest.npos, "it expires");
  }
  return 0;
}
