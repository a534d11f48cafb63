#include "core/base/headers.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace postern {
namespace {

constexpr std::size_t kMaxHeaders = 50;
constexpr std::size_t kMaxTotal = 8 * 1024;
constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxValue = 4096;

constexpr std::array<std::string_view, 10> kReservedNames = {
    "host",   "content-length", "transfer-encoding", "connection", "te",
    "expect", "upgrade",        "trailer",           "keep-alive", "http2-settings"};
constexpr std::array<std::string_view, 5> kReservedPrefixes = {"proxy-", "webhook-", "postern-",
                                                               "aj-", "x-asyncqueue-"};

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

// As CGI makes a variable of a name: HTTP_WEBHOOK_ID comes of Webhook-Id, of Webhook_Id, and with
// some servers of Webhook.Id.
std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (!is_alphanumeric(c)) c = '-';
  }
  return out;
}

bool is_reserved(std::string_view given) {
  const std::string text = folded(given);
  const std::string_view name = text;
  return std::any_of(kReservedNames.begin(), kReservedNames.end(),
                     [&](std::string_view word) { return equal_ignoring_case(name, word); }) ||
         std::any_of(kReservedPrefixes.begin(), kReservedPrefixes.end(),
                     [&](std::string_view prefix) {
                       return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
                     });
}

}  // namespace

Result<void> check_headers(const Headers& headers, std::string_view field) {
  if (headers.size() > kMaxHeaders) {
    return invalid(
        "headers_too_many", std::string(field),
        fmt::format("There are {} headers; at most {} are allowed.", headers.size(), kMaxHeaders));
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    const auto refuse = [&](const char* reason, std::string message) {
      return invalid(reason, fmt::format("{}.{}", field, name.substr(0, kMaxName)),
                     std::move(message));
    };
    if (!is_token(name) || name.size() > kMaxName) {
      return refuse("header_name_invalid",
                    fmt::format("A header's name must be 1 to {} letters, digits or any of "
                                "!#$%&'*+-.^_`|~.",
                                kMaxName));
    }
    if (is_reserved(name)) {
      return refuse("header_reserved",
                    fmt::format("The header {} is set by the connection or by Postern; leave it "
                                "out.",
                                name));
    }
    if (!std::all_of(value.begin(), value.end(), is_value_char)) {
      return refuse("header_value_invalid",
                    fmt::format("The value of the header {} holds a control byte; only tabs are "
                                "allowed.",
                                name));
    }
    if (value.size() > kMaxValue) {
      return refuse("header_value_invalid",
                    fmt::format("The value of the header {} has {} bytes; at most {} are allowed.",
                                name, value.size(), kMaxValue));
    }
    for (std::size_t k = 0; k < i; ++k) {
      if (equal_ignoring_case(headers[k].name, name)) {
        return refuse("header_repeated", fmt::format("The header {} is given twice.", name));
      }
    }
    total += name.size() + value.size();
  }
  if (total > kMaxTotal) {
    return invalid("headers_too_many", std::string(field),
                   fmt::format("The headers have {} bytes together; at most {} are allowed.", total,
                               kMaxTotal));
  }
  return {};
}

Headers joined(const Headers& headers) {
  Headers out;
  for (const Header& header : headers) {
    const auto first = std::ranges::find(out, header.name, &Header::name);
    if (first == out.end()) {
      out.push_back(header);
    } else {
      first->value += header.name == "set-cookie" ? "\n" : ", ";
      first->value += header.value;
    }
  }
  return out;
}

}  // namespace postern
