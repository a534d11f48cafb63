// Explains why a signature does not match, by trying the usual mistakes of receivers. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/security/signing.h"

namespace postern {

struct SigningMistake {
  std::string_view reason;   // machine-readable, e.g. "newline_lost"
  std::string_view message;  // what was found, and what to do
};

// The mistake that would explain the signature of `webhook`; nullopt when none of the usual ones
// does. For diagnosis only: it hashes the body a dozen times, and a webhook that matches because of
// a mistake is still invalid. REQUIRES: verify_standard_webhooks returned "signature_mismatch".
std::optional<SigningMistake> find_signing_mistake(std::string_view secret,
                                                   const SignedWebhook& webhook);

}  // namespace postern
