#include "core/security/signing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "core/base/base64.h"
#include "core/base/crypto.h"
#include "core/base/hex.h"

namespace postern {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::string_view kVersion = "v1,";
constexpr std::size_t kNewKeySize = 32;
constexpr std::size_t kMinKeySize = 24;
constexpr std::size_t kMaxKeySize = 64;

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The seconds of a timestamp; nullopt for anything but digits, and for times after the year 9999.
std::optional<std::int64_t> whole_seconds(std::string_view text) {
  constexpr std::int64_t kMax = 253'402'300'799;  // the end of the year 9999
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.starts_with('-') || seconds > kMax) return std::nullopt;
  return seconds;
}

// What follows "v1," in each signature of that version; other versions are ignored.
std::vector<std::string_view> digests(std::string_view signature) {
  std::vector<std::string_view> found;
  while (!signature.empty()) {
    const std::string_view one = signature.substr(0, signature.find(' '));
    signature.remove_prefix(std::min(one.size() + 1, signature.size()));
    if (one.starts_with(kVersion)) found.push_back(one.substr(kVersion.size()));
  }
  return found;
}

}  // namespace

std::string make_webhook_secret() {
  std::array<std::uint8_t, kNewKeySize> key;
  random_bytes(key);
  return std::string(kPrefix) + base64_encode(as_text(key));
}

std::optional<std::string> webhook_secret_key(std::string_view secret) {
  std::optional<std::string> key;
  if (secret.starts_with(kPrefix)) key = base64_decode(secret.substr(kPrefix.size()));
  if (key && (key->size() < kMinKeySize || key->size() > kMaxKeySize)) key = std::nullopt;
  return key;
}

std::string standard_webhooks_signature(std::span<const std::string> secrets, std::string_view id,
                                        Time at, std::string_view body) {
  const auto seconds = std::chrono::floor<Seconds>(at).time_since_epoch().count();
  const std::string signed_text = webhook_signed_text({id, fmt::format("{}", seconds), {}, body});
  std::string out;
  for (const std::string& secret : secrets) {
    const std::optional<std::string> key = webhook_secret_key(secret);
    if (!key) continue;
    if (!out.empty()) out += ' ';
    out += kVersion;
    out += webhook_digest(*key, signed_text);
  }
  return out;
}

std::string completion_token(const Uuid& lease, const Uuid& id) {
  const auto bytes = [](const Uuid& uuid) {
    return std::string_view(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
  };
  return to_hex(hmac_sha256(bytes(lease), bytes(id)));
}

std::string webhook_signed_text(const SignedWebhook& webhook) {
  std::string text;
  text.reserve(webhook.id.size() + webhook.timestamp.size() + webhook.body.size() + 2);
  text.append(webhook.id).append(1, '.').append(webhook.timestamp).append(1, '.');
  return text.append(webhook.body);
}

std::string webhook_digest(std::string_view key, std::string_view signed_text) {
  return base64_encode(as_text(hmac_sha256(key, signed_text)));
}

bool has_webhook_digest(std::string_view signature, std::string_view digest) {
  bool found = false;
  for (const std::string_view each : digests(signature)) found |= equal_constant_time(each, digest);
  return found;
}

Result<void> verify_standard_webhooks(std::string_view secret, const SignedWebhook& webhook,
                                      Time now, Seconds tolerance) {
  const std::optional<std::string> key = webhook_secret_key(secret);
  if (!key) {
    return invalid("secret_invalid", "secret",
                   "The secret is not one: it is whsec_ and the base64 of 24 to 64 bytes.");
  }
  if (webhook.id.empty()) return invalid("id_missing", "webhook-id", "There is no webhook-id.");
  const std::optional<std::int64_t> sent = whole_seconds(webhook.timestamp);
  if (!sent) {
    return invalid("timestamp_invalid", "webhook-timestamp",
                   "webhook-timestamp is not a number of whole seconds since 1970.");
  }
  if (digests(webhook.signature).empty()) {
    return invalid("signature_missing", "webhook-signature",
                   "webhook-signature holds no signature of version 1, \"v1,\" and base64.");
  }
  if (!has_webhook_digest(webhook.signature, webhook_digest(*key, webhook_signed_text(webhook)))) {
    return invalid("signature_mismatch", "webhook-signature",
                   "The signature does not belong to this id, timestamp, body and secret.");
  }
  const std::int64_t age = std::chrono::floor<Seconds>(now).time_since_epoch().count() - *sent;
  if (tolerance > Seconds{0} && age > tolerance.count()) {
    return invalid("timestamp_too_old", "webhook-timestamp",
                   fmt::format("The signature is right, but {} s old, and {} s are tolerated.", age,
                               tolerance.count()));
  }
  if (tolerance > Seconds{0} && -age > tolerance.count()) {
    return invalid(
        "timestamp_too_new", "webhook-timestamp",
        fmt::format("The signature is right, but from {} s in the future, and {} s are tolerated: "
                    "is a clock wrong?",
                    -age, tolerance.count()));
  }
  return {};
}

}  // namespace postern
