// Signatures of webhooks and their secrets, by Standard Webhooks 1.0: `webhook-signature: v1,` and
// the base64 of HMAC-SHA256(secret, id.timestamp.body). Pure, but for make_webhook_secret.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/time/time.h"

namespace postern {

// A new secret: "whsec_" and the base64 of 32 random bytes.
std::string make_webhook_secret();

// The key's bytes out of "whsec_<base64>"; nullopt when the text is not that, or not 24..64 bytes.
std::optional<std::string> webhook_secret_key(std::string_view secret);

// The value of `webhook-signature`: one "v1,..." per secret, the current one first, separated by
// spaces. Secrets that do not parse are left out. `at` is cut to whole seconds, as in
// `webhook-timestamp`.
std::string standard_webhooks_signature(std::span<const std::string> secrets, std::string_view id,
                                        Time at, std::string_view body);

// The token with which a receiver reports the end of a deferred attempt: the HMAC of the task's id
// under its lease, which nobody else knows. Lower-case hexadecimal.
std::string completion_token(const Uuid& lease, const Uuid& id);

// A webhook as it arrived: three headers, and the body's bytes. Views of the caller's text.
struct SignedWebhook {
  std::string_view id;         // webhook-id
  std::string_view timestamp;  // webhook-timestamp, whole seconds since 1970
  std::string_view signature;  // webhook-signature; one matching "v1,..." is enough
  std::string_view body;
};

// The text that is signed: id, timestamp and body, joined by dots.
std::string webhook_signed_text(const SignedWebhook& webhook);
// The signature of `signed_text` in base64, without "v1,". `key` is raw bytes.
std::string webhook_digest(std::string_view key, std::string_view signed_text);
// Whether `digest` is one of the "v1,..." of a `webhook-signature`. Compares in constant time.
bool has_webhook_digest(std::string_view signature, std::string_view digest);

// Verifies a webhook as its receiver does. `now` is the receiver's time; a timestamp that differs
// from it by more than `tolerance`, either way, is refused; a tolerance of 0 accepts every age.
// Errors (invalid_argument), the first that applies: "secret_invalid", "id_missing",
// "timestamp_invalid", "signature_missing" (it has no "v1,"), "signature_mismatch",
// "timestamp_too_old", "timestamp_too_new"; with the last two the signature is right. The field is
// "secret" or the header's name.
Result<void> verify_standard_webhooks(std::string_view secret, const SignedWebhook& webhook,
                                      Time now, Seconds tolerance);

}  // namespace postern
