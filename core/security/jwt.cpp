#include "core/security/jwt.h"

#include <algorithm>
#include <cmath>
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

Error malformed(std::string message) { return refused("jwt_malformed", std::move(message)); }

// `what`: "headers" or "claims". `error`: of parse_json_object.
Error unreadable(std::string_view what, const Error& error) {
  return malformed(error.reason == "duplicate_field"
                       ? fmt::format("The token's {} have a name twice.", what)
                       : fmt::format("The token's {} are no JSON object.", what));
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
    if (json_kind(raw) != JsonKind::number) return {std::nullopt, true};
    const double value = json_number(raw);
    if (!std::isfinite(value)) return {std::nullopt, true};
    return {value, false};
  }
  return {};
}

enum class Algorithm { hs256, rs256, es256 };

std::string_view name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::hs256: return "HS256";
    case Algorithm::rs256: return "RS256";
    case Algorithm::es256: return "ES256";
  }
  return "";
}

struct Header {
  Algorithm algorithm;
  std::string kid;  // empty: none is given, or the algorithm has no use for it
};

Result<Header> read_header(std::string_view json) {
  const auto members = parse_json_object(json);
  if (!members) return unreadable("headers", members.error());
  if (std::any_of(members->begin(), members->end(),
                  [](const JsonMember& each) { return each.key == "crit"; })) {
    return refused("jwt_algorithm", "The token's header demands an extension (crit).");
  }
  const auto given = text_of(*members, "alg");
  for (const Algorithm each : {Algorithm::hs256, Algorithm::rs256, Algorithm::es256}) {
    if (!given || *given != name(each)) continue;
    if (each == Algorithm::hs256) return Header{each, {}};
    auto kid = text_of(*members, "kid");
    if (!kid) return kid.error();
    return Header{each, std::move(*kid)};
  }
  if (given && *given == "none") return refused("jwt_algorithm", "The token is not signed.");
  return refused("jwt_algorithm", "The token must be signed with HS256, RS256 or ES256.");
}

Error no_key_for(Algorithm algorithm) {
  return refused("jwt_algorithm",
                 fmt::format("No key is known here for tokens signed with {}.", name(algorithm)));
}

Result<void> check_secrets(const Parts& token, const std::vector<std::string>& secrets) {
  if (secrets.empty()) return no_key_for(Algorithm::hs256);
  bool found = false;
  for (const std::string& secret : secrets) {
    const Sha256 mac = hmac_sha256(secret, token.signed_text);
    const std::string_view expected{reinterpret_cast<const char*>(mac.data()), mac.size()};
    found = equal_constant_time(expected, token.signature) || found;
  }
  if (found) return {};
  return refused("jwt_signature", "The token was signed with another secret.");
}

Result<void> check_public_keys(const Parts& token, const Header& header,
                               const std::vector<JwtPublicKey>& keys) {
  const auto kind =
      header.algorithm == Algorithm::rs256 ? PublicKey::Kind::rsa : PublicKey::Kind::p256;
  bool of_algorithm = false, of_name = false;
  for (const JwtPublicKey& each : keys) {
    if (each.key.kind() != kind) continue;
    of_algorithm = true;
    if (!header.kid.empty() && !each.kid.empty() && header.kid != each.kid) continue;
    of_name = true;
    if (each.key.verifies(token.signed_text, token.signature)) return {};
  }
  if (!of_algorithm) return no_key_for(header.algorithm);
  if (!of_name) {
    return refused("jwt_key_unknown",
                   "The token's kid names a key that is not known here for its algorithm.");
  }
  return refused("jwt_signature", "The token was signed with another key.");
}

// Whether `aud`, one text or a list of texts, holds `audience`; nullopt when it is neither.
std::optional<bool> holds_audience(std::string_view aud, std::string_view audience) {
  const auto texts =
      json_kind(aud) == JsonKind::array ? json_elements(aud) : std::vector<std::string_view>{aud};
  bool found = false;
  for (const std::string_view each : texts) {
    if (json_kind(each) != JsonKind::string) return std::nullopt;
    const auto text = json_string(each, "aud");
    if (!text) return std::nullopt;
    found = found || *text == audience;
  }
  return found;
}

Result<void> check_audience(const std::vector<JsonMember>& claims, const std::string& audience) {
  const auto aud = std::find_if(claims.begin(), claims.end(),
                                [](const JsonMember& each) { return each.key == "aud"; });
  if (aud == claims.end()) {
    if (audience.empty()) return {};
    return refused("jwt_audience", "The token has no aud, which is required here.");
  }
  const auto found = holds_audience(aud->raw, audience);
  if (!found) return malformed("The token's aud is neither a text nor a list of texts.");
  if (audience.empty()) {
    return refused("jwt_audience",
                   "The token is for another service: it has an aud, and none is expected here.");
  }
  if (*found) return {};
  return refused("jwt_audience",
                 "The token is for another service: its aud does not hold what is expected here.");
}

Result<void> check_times(const std::vector<JsonMember>& claims, Time now, const JwtRules& rules) {
  const auto expires = date_of(claims, "exp");
  const auto begins = date_of(claims, "nbf");
  const auto issued = date_of(claims, "iat");
  for (const auto& [date, key] : {std::pair<const NumericDate&, const char*>{expires, "exp"},
                                  {begins, "nbf"},
                                  {issued, "iat"}}) {
    if (date.wrong) return malformed(fmt::format("The token's {} is no number of seconds.", key));
  }
  if (!expires.seconds && rules.require_exp) {
    return refused("jwt_without_exp", "The token has no exp, which is required here.");
  }
  const double seconds = static_cast<double>(now.time_since_epoch().count()) / 1e6;
  const auto leeway = static_cast<double>(rules.leeway.count());
  if (expires.seconds && seconds >= *expires.seconds + leeway) {
    return refused("jwt_expired", "The token has expired.");
  }
  if (begins.seconds && seconds < *begins.seconds - leeway) {
    return refused("jwt_not_yet", "The token is not valid yet: its nbf is in the future.");
  }
  if (issued.seconds && seconds < *issued.seconds - leeway) {
    return refused("jwt_issued_later",
                   "The token's iat is in the future. Compare the issuer's clock with this one's.");
  }
  return {};
}

}  // namespace

Result<JwtClaims> verify_jwt(std::string_view token, const JwtKeys& keys, Time now,
                             const JwtRules& rules) {
  const auto parts = split(token);
  if (!parts) return malformed("The token is not three parts in base64url.");
  const auto header = read_header(parts->header);
  if (!header) return header.error();
  const auto is_signed = header->algorithm == Algorithm::hs256
                             ? check_secrets(*parts, keys.secrets)
                             : check_public_keys(*parts, *header, keys.public_keys);
  if (!is_signed) return is_signed.error();
  const auto claims = parse_json_object(parts->payload);
  if (!claims) return unreadable("claims", claims.error());
  if (const auto ok = check_times(*claims, now, rules); !ok) return ok.error();
  if (const auto ok = check_audience(*claims, rules.audience); !ok) return ok.error();
  auto subject = text_of(*claims, "sub");
  if (!subject) return subject.error();
  // No header can hold it, so that the caller would be nobody in every log.
  if (std::ranges::any_of(*subject, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return malformed("The token's sub holds a control character.");
  }
  auto role = text_of(*claims, "role");
  if (!role) return role.error();
  auto tenant = text_of(*claims, "tenant");
  if (!tenant) return tenant.error();
  return JwtClaims{std::move(*subject), std::move(*role), std::move(*tenant)};
}

}  // namespace postern
