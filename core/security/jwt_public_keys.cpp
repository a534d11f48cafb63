#include "core/security/jwt_public_keys.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/base64.h"
#include "core/base/json.h"

namespace postern {
namespace {

using Members = std::vector<JsonMember>;

Error invalid_keys(std::string message) {
  return {Errc::invalid_argument, "jwt_keys_invalid", "", std::move(message)};
}

const std::string_view* find(const Members& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const JsonMember& each) { return each.key == name; });
  return found == members.end() ? nullptr : &found->raw;
}

// The text of a member; nullopt when it is absent or no text.
std::optional<std::string> text_of(const Members& members, std::string_view name) {
  const std::string_view* raw = find(members, name);
  if (raw == nullptr || json_kind(*raw) != JsonKind::string) return std::nullopt;
  auto text = json_string(*raw, name);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

// Whether a member is absent, or the text `value`.
bool is_absent_or(const Members& members, std::string_view name, std::string_view value) {
  return find(members, name) == nullptr || text_of(members, name) == value;
}

bool may_verify(const Members& members) {
  if (!is_absent_or(members, "use", "sig")) return false;
  const std::string_view* operations = find(members, "key_ops");
  if (operations == nullptr) return true;
  if (json_kind(*operations) != JsonKind::array) return false;
  const auto all = json_elements(*operations);
  return std::any_of(all.begin(), all.end(), [](std::string_view each) {
    if (json_kind(each) != JsonKind::string) return false;
    const auto text = json_string(each, "key_ops");
    return text && *text == "verify";
  });
}

// The key that a JSON Web Key is; nullopt when it is for something else.
Result<std::optional<JwtPublicKey>> key_of(const Members& members) {
  const auto kty = text_of(members, "kty");
  if (kty == "oct") {
    return invalid_keys("is a symmetric key, which belongs into jwt_secret_file");
  }
  if (find(members, "d") != nullptr) {
    return invalid_keys("is a private key, which belongs to the issuer alone");
  }
  const bool is_rsa = kty == "RSA", is_p256 = kty == "EC" && text_of(members, "crv") == "P-256";
  if (!(is_rsa || is_p256) || !is_absent_or(members, "alg", is_rsa ? "RS256" : "ES256") ||
      !may_verify(members)) {
    return std::optional<JwtPublicKey>();
  }
  const auto number = [&](const char* name) {
    const auto text = text_of(members, name);
    return text ? base64url_decode(*text) : std::nullopt;
  };
  const auto first = number(is_rsa ? "n" : "x"), second = number(is_rsa ? "e" : "y");
  if (!first || !second) {
    return invalid_keys(fmt::format("has no {} in base64url", is_rsa ? "n and e" : "x and y"));
  }
  auto key = is_rsa ? PublicKey::rsa(*first, *second) : PublicKey::p256(*first, *second);
  if (!key) return invalid_keys(fmt::format("cannot be used: {}", key.error().message));
  if (find(members, "kid") == nullptr) return std::optional(JwtPublicKey{std::move(*key)});
  auto kid = text_of(members, "kid");
  if (!kid || kid->empty()) return invalid_keys("has a kid that is no text, or empty");
  return std::optional(JwtPublicKey{std::move(*key), std::move(*kid)});
}

Result<std::vector<JwtPublicKey>> parse_set(std::string_view text) {
  const auto set = parse_json_object(text);
  if (!set) return invalid_keys(fmt::format("is no JSON: {}", set.error().message));
  const std::string_view* list = find(*set, "keys");
  if (list == nullptr || json_kind(*list) != JsonKind::array) {
    return invalid_keys("is no JSON Web Key Set: it has no list \"keys\"");
  }
  const auto all = json_elements(*list, kMaxJwtPublicKeys + 1);
  if (all.size() > kMaxJwtPublicKeys) {
    return invalid_keys(fmt::format("has more than {} keys", kMaxJwtPublicKeys));
  }
  std::vector<JwtPublicKey> keys;
  int count = 0;
  for (const std::string_view each : all) {
    ++count;
    const auto wrong = [&](std::string_view what) {
      return invalid_keys(fmt::format("is wrong: its key {} {}", count, what));
    };
    if (json_kind(each) != JsonKind::object) return wrong("is no object");
    const auto members = json_members(each);
    if (!members) return wrong("has a member twice");
    auto key = key_of(*members);
    if (!key) return wrong(key.error().message);
    if (*key) keys.push_back(std::move(**key));
  }
  if (keys.empty()) {
    return invalid_keys("has no key for RS256 (kty RSA) or ES256 (kty EC, crv P-256) signatures");
  }
  return keys;
}

Result<std::vector<JwtPublicKey>> parse_pem(std::string_view text) {
  auto found = PublicKey::from_pem(text);
  if (!found) return invalid_keys(fmt::format("is wrong: its {}", found.error().message));
  if (found->empty()) {
    return invalid_keys("holds neither a PUBLIC KEY or CERTIFICATE in PEM nor a JSON Web Key Set");
  }
  if (found->size() > kMaxJwtPublicKeys) {
    return invalid_keys(fmt::format("has more than {} keys", kMaxJwtPublicKeys));
  }
  std::vector<JwtPublicKey> keys;
  for (PublicKey& key : *found) keys.push_back({std::move(key)});
  return keys;
}

}  // namespace

Result<std::vector<JwtPublicKey>> parse_jwt_public_keys(std::string_view text) {
  if (text.size() > kMaxJwtKeysFile) {
    return invalid_keys(fmt::format("has more than {} KiB", kMaxJwtKeysFile / 1024));
  }
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return invalid_keys("is empty");
  return text[begin] == '{' ? parse_set(text) : parse_pem(text);
}

}  // namespace postern
