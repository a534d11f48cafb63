#include <string>

#include "core/base/base64.h"
#include "core/base/crypto.h"
#include "core/security/jwt.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace postern;
using fuzz::require;

const std::string kSecret = "the secret of 32 bytes, not less";

// Those of RFC 7515, appendices A.2 and A.3, whose private halves only its examples use.
const JwtKeys& known() {
  static const JwtKeys keys{
      {"and the one that was before it..", kSecret},
      parse_jwt_public_keys(
          R"({"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx)"
          R"(HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47)"
          R"(soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xs)"
          R"(mtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkML)"
          R"(s91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},{"kty":"EC","crv":"P-256",)"
          R"("x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
          R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})")
          .value()};
  return keys;
}

std::string base64url(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('=')) text.pop_back();
  return text;
}

}  // namespace

// A file of keys; a token as it stands, which nobody has signed; and a header and its claims, on
// two lines, signed.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  const Time now{std::chrono::sys_days{std::chrono::year{2026} / 10 / 21}};
  if (const auto keys = parse_jwt_public_keys(rest)) {
    require(!keys->empty() && keys->size() <= kMaxJwtPublicKeys, "as many keys as there may be");
  } else {
    require(!keys.error().message.empty(), "an error says what is wrong");
  }
  require(!verify_jwt(rest, known(), now, {}), "nobody can sign without the secret");

  const auto header = fuzz::next_part(rest, '\n');
  std::string token = base64url(header) + "." + base64url(rest);
  const Sha256 mac = hmac_sha256(kSecret, token);
  token += "." + base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
  if (const auto claims = verify_jwt(token, known(), now, {})) {
    require(header.find("HS256") != header.npos, "the algorithm is not the token's choice");
    require(rest.find("exp") != rest.npos || rest.find('\\') != rest.npos, "it expires");
  }
  return 0;
}
