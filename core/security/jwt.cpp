#include "core/security/jwt.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/base64.h"
#include "core/base/crypto.h"
#include "core/base/json.h"

namespace postern {
namespace {

Error refused(std::string reason, std::string message) {
  return {Errc::unauthenticated, std::move(reason), "", std::move(message)};
}

Error malformed() { return refused("jwt_malformed", "The token is not a JSON Web Token."); }

// Base64 without padding in the alphabet for URLs (RFC 7515, section 2).
std::optional<std::string> base64url_decode(std::string_view text) {
  if (text.find_first_of("+/=") != text.npos) return std::nullopt;
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return base64_decode(standard);
}

struct Parts {
  std::string_view signed_text;
  std::string header, payload, signature;
};

std::optional<Parts> split(std::string_view token) {
  const auto first = token.find('.');
  const auto second = token.find('.', first == token.npos ? first : first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) return std::nullopt;
  const auto header = base64url_decode(token.substr(0, first));
  const auto payload = base64url_decode(token.substr(first + 1, second - first - 1));
  const auto signature = base64url_decode(token.substr(second + 1));
  if (!header || !payload || !signature) return std::nullopt;
  return Parts{token.substr(0, second), *header, *payload, *signature};
}

// The text of member `key`; empty when the member is absent. A number, null or empty string is an
// error ("jwt_malformed") and does not count as absent: a token with a malformed tenant must not
// act in the default tenant.
Result<std::string> text_of(const std::vector<JsonMember>& members, std::string_view key) {
  for (const auto& [name, raw] : members) {
    if (name != key) continue;
    if (json_kind(raw) == JsonKind::string) {
      auto text = json_string(raw, key);
      if (text && !text->empty()) return text;
    }
    return refused("jwt_malformed", fmt::format("The token's {} is no text, or empty.", key));
  }
  return std::string();
}

// A NumericDate: seconds since 1970, possibly with a fraction. `wrong`: present, but not a number.
struct NumericDate {
  std::optional<double> seconds;
  bool wrong = false;
};
NumericDate date_of(const std::vector<JsonMember>& members, std::string_view key) {
  for (const auto& [name, raw] : members) {
    if (name != key) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
    if (json_kind(raw) != JsonKind::number || error != std::errc()) return {std::nullopt, true};
    return {value, false};
  }
  return {};
}

Result<void> check_header(std::string_view json) {
  const auto header = parse_json_object(json);
  if (!header) return malformed();
  const bool extended = std::any_of(header->begin(), header->end(),
                                    [](const JsonMember& each) { return each.key == "crit"; });
  const auto algorithm = text_of(*header, "alg");
  if (algorithm && *algorithm == "HS256" && !extended) return {};
  return refused("jwt_algorithm", "The token must be signed with HS256.");
}

bool is_signed(const Parts& token, std::span<const std::string> secrets) {
  bool found = false;
  for (const std::string& secret : secrets) {
    const Sha256 mac = hmac_sha256(secret, token.signed_text);
    const std::string_view expected{reinterpret_cast<const char*>(mac.data()), mac.size()};
    found = equal_constant_time(expected, token.signature) || found;
  }
  return found;
}

Result<void> check_times(const std::vector<JsonMember>& claims, Time now, const JwtRules& rules) {
  const auto expires = date_of(claims, "exp");
  const auto begins = date_of(claims, "nbf");
  if (expires.wrong || begins.wrong) return malformed();
  if (!expires.seconds && rules.require_exp) {
    return refused("jwt_without_exp", "The token has no exp, which is required here.");
  }
  const double seconds = static_cast<double>(now.time_since_epoch().count()) / 1e6;
  const auto leeway = static_cast<double>(rules.leeway.count());
  if (expires.seconds && seconds >= *expires.seconds + leeway) {
    return refused("jwt_expired", "The token has expired.");
  }
  if (begins.seconds && seconds < *begins.seconds - leeway) {
    return refused("jwt_not_yet", "The token is not valid yet.");
  }
  return {};
}

}  // namespace

Result<JwtClaims> verify_jwt(std::string_view token, std::span<const std::string> secrets, Time now,
                             const JwtRules& rules) {
  const auto parts = split(token);
  if (!parts) return malformed();
  if (const auto ok = check_header(parts->header); !ok) return ok.error();
  if (!is_signed(*parts, secrets)) {
    return refused("jwt_signature", "The token was signed with another secret.");
  }
  const auto claims = parse_json_object(parts->payload);
  if (!claims) return malformed();
  if (const auto ok = check_times(*claims, now, rules); !ok) return ok.error();
  auto subject = text_of(*claims, "sub");
  if (!subject) return subject.error();
  auto role = text_of(*claims, "role");
  if (!role) return role.error();
  auto tenant = text_of(*claims, "tenant");
  if (!tenant) return tenant.error();
  return JwtClaims{std::move(*subject), std::move(*role), std::move(*tenant)};
}

}  // namespace postern
