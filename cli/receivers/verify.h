// What `postern verify` and `postern listen` have in common: where the secret comes from, and the
// verdict on a webhook.
#pragma once

#include <optional>
#include <string>

#include "cli/command/options.h"
#include "core/base/json_writer.h"
#include "core/security/signing.h"

namespace postern::admin {

// The options that name the webhook secret. It need not be on the command line, which every user of
// the machine can read.
class SecretOptions {
 public:
  // `this` must outlive the parsing of `command`.
  void add_to(Command& command);
  // --secret, else the first line of --secret-file, else POSTERN_WEBHOOK_SECRET; nullopt without
  // any. Ends the parsing by a CLI::ParseError when the file cannot be read.
  std::optional<std::string> read() const;

 private:
  std::string text_, file_;
};

struct Verification {
  bool valid = true;
  std::string reason;   // "signature_mismatch", ...; empty when valid
  std::string message;  // a sentence, valid or not
  std::string mistake;  // "newline_lost", ...; empty when none is known
  std::string advice;   // a sentence about the mistake; empty when there is none
};

// Checks the signature, and the timestamp against this machine's clock.
Verification judge(std::string_view secret, const SignedWebhook& webhook, Seconds tolerance);

// Writes the verdict as a JSON object, as the next value of `out`.
void write_verdict(JsonWriter& out, const Verification& verdict);
// "valid: ..." or "INVALID: ..." in one line.
std::string verdict_line(const Verification& verdict);

}  // namespace postern::admin
