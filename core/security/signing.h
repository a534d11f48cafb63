// Signatures on webhooks, and the secrets they are made with.
// Standard Webhooks 1.0: `webhook-signature: v1,` and the base64 of
// HMAC-SHA256(secret, id.timestamp.body).
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

// What lets a receiver tell the end of an attempt later: the lease, which nobody else knows, signs
// the task's id. Lower-case hexadecimal.
std::string completion_token(const Uuid& lease, const Uuid& id);

// A webhook as it arrived: three headers, and the body's bytes. Views of the caller's text.
struct SignedWebhook {
  std::string_view id;         // webhook-id
  std::string_view timestamp;  // webhook-timestamp, whole seconds since 1970
  std::string_view signature;  // webhook-signature; any one "v1,..." of it may be right
  std::string_view body;
};

// What is signed: id, timestamp and body, with points between.
std::string webhook_signed_text(const SignedWebhook& webhook);
// The signature of `signed_text` in base64, without "v1,". `key` is raw bytes.
std::string webhook_digest(std::string_view key, std::string_view signed_text);
// Whether `digest` is one of the "v1,..." of a `webhook-signature`. Compares in constant time.
bool has_webhook_digest(std::string_view signature, std::string_view digest);

// What a receiver does. `now` is the receiver's time; a timestamp further from it than `tolerance`,
// either way, is refused; a tolerance of 0 lets every age pass. Errors (invalid_argument), the
// first that applies: "secret_invalid", "id_missing", "timestamp_invalid", "signature_missing" (no
// "v1," in it), "signature_mismatch", "timestamp_too_old", "timestamp_too_new": the last two mean
// that the signature is right. The field is "secret" or the header's name.
Result<void> verify_standard_webhooks(std::string_view secret, const SignedWebhook& webhook,
                                      Time now, Seconds tolerance);

}  // namespace postern
