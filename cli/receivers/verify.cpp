// `postern verify`: whether a webhook is signed as it should be, and what is wrong when it is not.
#include "cli/receivers/verify.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "core/program/clock.h"
#include "core/security/signing_mistakes.h"

namespace postern::admin {
namespace {

constexpr char kHelp[] =
    R"(Tell whether a webhook's signature is right, and if not, which part is wrong.
The body is standard input, byte for byte. Exit code 0: valid; 1: invalid; 2: a wrong option.

  POSTERN_WEBHOOK_SECRET=whsec_... postern verify --id task_01jk... --timestamp 1736937302 \
    --signature 'v1,K5oZfzN95Z9U...' --tolerance 0 < body

A mismatch is searched for the usual mistakes: a newline lost or added, JSON that was parsed and
written again, the secret used as text.)";

struct Arguments {
  SecretOptions secret;
  std::string id, timestamp, signature, body_file, tolerance = "5m";
};

std::string read_body(const std::string& file) {
  std::ifstream opened;
  if (!file.empty()) opened.open(file, std::ios::binary);
  std::istream& in = file.empty() ? std::cin : opened;
  std::string body;
  char chunk[64 * 1024];
  while (in) {
    in.read(chunk, sizeof(chunk));
    body.append(chunk, static_cast<std::size_t>(in.gcount()));
  }
  // A directory can be opened; only reading it fails.
  if (in.bad() || !in.eof()) refuse_option("--body-file", file + " cannot be read");
  return body;
}

void verify(const Context& context, const Arguments& arguments) {
  const auto secret = arguments.secret.read();
  if (!secret) {
    refuse_option("--secret",
                  "it is missing: give it here, by --secret-file or in POSTERN_WEBHOOK_SECRET");
  }
  const Seconds tolerance = duration_option("--tolerance", arguments.tolerance);
  const std::string body = read_body(arguments.body_file);
  const auto verdict =
      judge(*secret, {arguments.id, arguments.timestamp, arguments.signature, body}, tolerance);
  if (context.json) {
    JsonWriter out;
    write_verdict(out, verdict);
    fmt::print("{}\n", out.text());
  } else {
    fmt::print("{}\n", verdict_line(verdict));
  }
  if (!verdict.valid) std::exit(1);
}

}  // namespace

void SecretOptions::add_to(Command& command) {
  command.option("--secret", text_,
                 "the secret, whsec_...; every user of the machine can read a command line: "
                 "rather by POSTERN_WEBHOOK_SECRET or --secret-file");
  command.option("--secret-file", file_, "a file whose first line is the secret");
}

std::optional<std::string> SecretOptions::read() const {
  if (!text_.empty()) return text_;
  if (!file_.empty()) {
    std::string line;
    if (std::ifstream in(file_); !std::getline(in, line)) {
      refuse_option("--secret-file", file_ + " cannot be read, or is empty");
    }
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
  const char* variable = std::getenv("POSTERN_WEBHOOK_SECRET");
  if (variable == nullptr || *variable == '\0') return std::nullopt;
  return variable;
}

Verification judge(std::string_view secret, const SignedWebhook& webhook, Seconds tolerance) {
  const auto now = wall_clock();
  const auto result = verify_standard_webhooks(secret, webhook, now, tolerance);
  if (result) return {true, "", "The signature is right.", "", ""};
  const Error& error = result.error();
  Verification verdict{false, error.reason, error.message, "", ""};
  if (error.reason != "signature_mismatch") return verdict;
  if (const auto mistake = find_signing_mistake(secret, webhook)) {
    verdict.mistake = mistake->reason;
    verdict.advice = mistake->message;
  } else {
    verdict.advice =
        "None of the usual mistakes explains it: is it this tenant's secret (`postern secret "
        "show`), and are these the bytes that arrived?";
  }
  return verdict;
}

void write_verdict(JsonWriter& out, const Verification& verdict) {
  const auto text_or_null = [&out](std::string_view name, const std::string& text) {
    out.key(name);
    text.empty() ? out.null() : out.string(text);
  };
  out.begin_object();
  out.member("valid", verdict.valid);
  text_or_null("reason", verdict.reason);
  text_or_null("message", verdict.message);
  text_or_null("mistake", verdict.mistake);
  text_or_null("advice", verdict.advice);
  out.end_object();
}

std::string verdict_line(const Verification& verdict) {
  return fmt::format("{}: {}{}{}", verdict.valid ? "valid" : "INVALID", verdict.message,
                     verdict.advice.empty() ? "" : " ", verdict.advice);
}

void add_verify(Command& app, Context& context) {
  Command command = app.add("verify", "Tell whether a webhook's signature is right");
  command.footer(kHelp);
  auto arguments = std::make_shared<Arguments>();
  arguments->secret.add_to(command);
  command.option("--id", arguments->id, "webhook-id").required();
  command.option("--timestamp", arguments->timestamp, "webhook-timestamp").required();
  command.option("--signature", arguments->signature, "webhook-signature, whole").required();
  command.option("--body-file", arguments->body_file, "the body; standard input if absent");
  command
      .option("--tolerance", arguments->tolerance,
              "how far the timestamp may be from now, either way; 0: any age will do")
      .show_default();
  command.run([&context, arguments] { verify(context, *arguments); });
}

}  // namespace postern::admin
