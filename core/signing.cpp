#include "core/signing.h"

#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "core/base64.h"
#include "core/crypto.h"

namespace postern {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kNewKeySize = 32;
constexpr std::size_t kMinKeySize = 24;
constexpr std::size_t kMaxKeySize = 64;

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string make_webhook_secret() {
  std::array<std::uint8_t, kNewKeySize> key;
  random_bytes(key);
  return std::string(kPrefix) + base64_encode(as_text(key));
}

std::optional<std::string> webhook_secret_key(std::string_view secret) {
  if (!secret.starts_with(kPrefix)) return std::nullopt;
  std::optional<std::string> key = base64_decode(secret.substr(kPrefix.size()));
  if (!key || key->size() < kMinKeySize || key->size() > kMaxKeySize) return std::nullopt;
  return key;
}

std::string standard_webhooks_signature(std::span<const std::string> secrets, std::string_view id,
                                        Time at, std::string_view body) {
  const auto seconds = std::chrono::floor<Seconds>(at).time_since_epoch().count();
  const std::string signed_text = fmt::format("{}.{}.{}", id, seconds, body);
  std::string out;
  for (const std::string& secret : secrets) {
    const std::optional<std::string> key = webhook_secret_key(secret);
    if (!key) continue;
    if (!out.empty()) out += ' ';
    out += "v1,";
    out += base64_encode(as_text(hmac_sha256(*key, signed_text)));
  }
  return out;
}

std::string completion_token(const Uuid& lease, const TaskId& id) {
  const auto bytes = [](const TaskId& uuid) {
    return std::string_view(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
  };
  return to_hex(hmac_sha256(bytes(lease), bytes(id)));
}

}  // namespace postern
