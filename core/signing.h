// Signatures on webhooks, and the secrets they are made with.
// Standard Webhooks 1.0: `webhook-signature: v1,` and the base64 of
// HMAC-SHA256(secret, id.timestamp.body).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/time.h"
#include "core/uuid.h"

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
std::string completion_token(const Uuid& lease, const TaskId& id);

}  // namespace postern
