#include "core/security/signing_mistakes.h"

#include <cstdint>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/json_writer.h"
#include "core/base/utf8.h"

namespace postern {
namespace {

constexpr SigningMistake kNewlineLost{
    "newline_lost",
    "The signed body ends in a newline that this one lacks: something cuts it off on the way."};
constexpr SigningMistake kNewlineAdded{
    "newline_added",
    "This body ends in a newline that was not signed: something adds it, often an editor or echo."};
constexpr SigningMistake kLineEndsChanged{
    "line_ends_changed",
    "The signed body has other line ends: something changes CRLF to LF on the way, or LF to CRLF."};
constexpr SigningMistake kReserialized{
    "json_reserialized",
    "The signed body is the same JSON in other bytes: it was parsed and written again. Verify the "
    "body as it came, before any parser."};
constexpr SigningMistake kSecretAsText{
    "secret_as_text",
    "The signature was made with the secret's text as the key: decode the base64 behind whsec_."};
constexpr SigningMistake kPrefixInKey{"secret_with_prefix",
                                      "The signature was made with whsec_ as a part of the key: "
                                      "leave the prefix out, then decode the "
                                      "base64."};
constexpr SigningMistake kBodyAlone{
    "body_alone",
    "The signature is of the body alone: sign the id, the timestamp and the body, with points "
    "between."};
constexpr SigningMistake kIdLeftOut{
    "id_left_out",
    "The signature is of timestamp and body: sign the id, the timestamp and the body, with points "
    "between."};

std::string replaced_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Valid UTF-8 with every character beyond ASCII written as \uXXXX, as in JSON.
std::string in_ascii(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    std::uint32_t code = utf8_character(text.substr(0, length));
    if (length == 1) {
      out += text[0];
    } else if (code < 0x10000) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      code -= 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF));
    }
    text.remove_prefix(length);
  }
  return out;
}

enum class Strings { as_they_are, plain, ascii };

// Valid JSON reformatted: without white space, except for one space behind each comma and colon
// that is nested at least `spaces_from` deep; numbers unchanged.
std::string rewritten(std::string_view json, int spaces_from, Strings strings) {
  std::string out;
  int depth = 0;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '"') {
      std::size_t end = at + 1;
      while (json[end] != '"') end += json[end] == '\\' ? 2 : 1;
      const std::string raw(json.substr(at, end + 1 - at));
      const auto text = json_string(raw, {});
      const std::string plain = text ? json_quote(*text) : raw;
      out += strings == Strings::as_they_are ? raw
             : strings == Strings::plain     ? plain
                                             : in_ascii(plain);
      at = end;
    } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      out += c;
      if ((c == ',' || c == ':') && depth >= spaces_from) out += ' ';
    }
  }
  return out;
}

}  // namespace

std::optional<SigningMistake> find_signing_mistake(std::string_view secret,
                                                   const SignedWebhook& webhook) {
  const std::optional<std::string> key = webhook_secret_key(secret);
  if (!key) return std::nullopt;
  const auto is_signed = [&](std::string_view other_key, std::string_view text) {
    return has_webhook_digest(webhook.signature, webhook_digest(other_key, text));
  };
  const auto is_body = [&](std::string_view other) {
    return is_signed(*key, webhook_signed_text({webhook.id, webhook.timestamp, {}, other}));
  };

  // Mistakes by which the body was changed before the check.
  const std::string body(webhook.body);
  if (is_body(body + "\n") || is_body(body + "\r\n")) return kNewlineLost;
  if (body.ends_with('\n') && is_body(body.substr(0, body.size() - 1))) return kNewlineAdded;
  if (body.ends_with("\r\n") && is_body(body.substr(0, body.size() - 2))) return kNewlineAdded;
  const std::string with_lf = replaced_all(body, "\r\n", "\n");
  if (is_body(with_lf) || is_body(replaced_all(with_lf, "\n", "\r\n"))) {
    return kLineEndsChanged;
  }
  if (parse_json_object("{\"\":" + body + "}")) {  // any JSON value, not objects alone
    // Postern's own envelope is compact, with a payload as the client wrote it.
    for (const int spaces_from : {std::numeric_limits<int>::max(), 1, 2}) {
      for (const auto strings : {Strings::as_they_are, Strings::plain, Strings::ascii}) {
        if (is_body(rewritten(body, spaces_from, strings))) return kReserialized;
      }
    }
  }

  // Mistakes in deriving the key from the secret.
  constexpr std::string_view kPrefix = "whsec_";
  const std::string_view encoded = secret.substr(kPrefix.size());
  const std::string text = webhook_signed_text(webhook);
  if (is_signed(encoded, text)) return kSecretAsText;
  if (is_signed(secret, text)) return kPrefixInKey;
  // A lenient decoder reads "whsec_" as base64 too ('_' stands for '/' in the URL-safe alphabet),
  // and drops the incomplete group at the end.
  std::string lenient = replaced_all(std::string(secret), "_", "/");
  while (lenient.ends_with('=')) lenient.pop_back();
  lenient.resize(lenient.size() / 4 * 4);
  const auto with_prefix = base64_decode(lenient);
  if (with_prefix && is_signed(*with_prefix, text)) return kPrefixInKey;

  // Mistakes in the text that was signed.
  if (is_signed(*key, body)) return kBodyAlone;
  if (is_signed(*key, text.substr(webhook.id.size() + 1))) return kIdLeftOut;
  return std::nullopt;
}

}  // namespace postern
