// Why a signature does not match: the mistakes that receivers make, tried one after the other.
#pragma once

#include <optional>
#include <string_view>

#include "core/security/signing.h"

namespace postern {

struct SigningMistake {
  std::string_view reason;   // machine-readable, e.g. "newline_lost"
  std::string_view message;  // what was found, and what to do
};

// The mistake that makes one of the signatures of `webhook` right, or nullopt when none of the
// usual ones does. For people: it hashes the body a dozen times, and what matches only so is no
// valid webhook. REQUIRES: verify_standard_webhooks says "signature_mismatch".
std::optional<SigningMistake> find_signing_mistake(std::string_view secret,
                                                   const SignedWebhook& webhook);

}  // namespace postern
