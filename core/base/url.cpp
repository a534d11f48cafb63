#include "core/base/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "core/base/text.h"

namespace postern {
namespace {

constexpr std::size_t kMaxUrl = 2048;
constexpr std::size_t kMaxHost = 253;
constexpr std::size_t kMaxLabel = 63;

int default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

// Removes the first label and the dot behind it from `host`, and returns the label.
std::string_view next_label(std::string_view& host) {
  const std::size_t dot = host.find('.');
  const std::string_view label = host.substr(0, dot);
  host = dot == host.npos ? std::string_view() : host.substr(dot + 1);
  return label;
}

// Four decimal numbers of 0 to 255 without leading zeros.
bool is_dotted_quad(std::string_view host) {
  if (std::count(host.begin(), host.end(), '.') != 3) return false;
  for (int i = 0; i < 4; ++i) {
    const std::string_view number = next_label(host);
    if (number.empty() || number.size() > 3 || !all_of(number, is_digit)) return false;
    if (number.size() > 1 && number.front() == '0') return false;
    if (number.size() == 3 && number > "255") return false;
  }
  return true;
}

// True for a last label that makes inet_aton, and with it every resolver, read the host as an
// address and not as a name.
bool looks_numeric(std::string_view label) {
  if (label.starts_with("0x")) return all_of(label.substr(2), is_hex);
  return all_of(label, is_digit);
}

// What is wrong with `host` (lower case, no brackets), or nullptr.
const char* fault_of_name(std::string_view host) {
  if (host.empty()) return "it has no host";
  if (host.size() > kMaxHost) return "its host is longer than 253 bytes";
  std::string_view rest = host;
  std::string_view label;
  std::size_t labels = 1 + static_cast<std::size_t>(std::count(host.begin(), host.end(), '.'));
  for (; labels > 0; --labels) {
    label = next_label(rest);
    if (label.empty()) return "its host has an empty label or a trailing dot";
    if (label.size() > kMaxLabel) return "its host has a label longer than 63 bytes";
    const auto allowed = [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
    };
    if (!all_of(label, allowed)) {
      return "its host holds something other than letters, digits, \"-\", \"_\" and \".\"";
    }
  }
  if (looks_numeric(label) && !is_dotted_quad(host)) {
    return "its host looks like an IPv4 address but is not four decimal numbers without leading "
           "zeros";
  }
  return nullptr;
}

// The one spelling of an IPv6 address (RFC 5952), so that an address has one lane; nullopt if
// `text` is none.
std::optional<std::string> ipv6_spelling(const std::string& text) {
  std::array<unsigned char, 16> address;
  std::array<char, INET6_ADDRSTRLEN> spelling;
  if (inet_pton(AF_INET6, text.c_str(), address.data()) != 1) return std::nullopt;
  return inet_ntop(AF_INET6, address.data(), spelling.data(), spelling.size());
}

// nullopt unless `text` is 1 to 5 digits that make 1..65535.
std::optional<int> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !all_of(text, is_digit)) return std::nullopt;
  int port = 0;
  for (const char c : text) port = port * 10 + (c - '0');
  if (port < 1 || port > 65'535) return std::nullopt;
  return port;
}

bool escapes_are_whole(std::string_view text) {
  for (std::size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || !is_hex(text[at + 1]) || !is_hex(text[at + 2])) return false;
  }
  return true;
}

}  // namespace

std::string Url::authority() const {
  std::string out = is_ipv6_literal ? '[' + host + ']' : host;
  if (port != default_port(scheme)) out.append(1, ':').append(std::to_string(port));
  return out;
}

std::string Url::origin() const { return scheme + "://" + authority(); }

std::string Url::canonical() const { return origin() + path; }

Result<Url> parse_url(std::string_view text, std::string_view field) {
  const auto refuse = [&](std::string_view why) {
    return invalid("url_invalid", std::string(field),
                   fmt::format("{} must be an absolute http or https URL: {}.", field, why));
  };
  if (text.empty()) return refuse("it is empty");
  if (text.size() > kMaxUrl) return refuse("it is longer than 2,048 bytes");
  if (!all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; })) {
    return refuse("it holds a space, a backslash or a byte outside printable ASCII");
  }

  Url url;
  const std::size_t colon = text.find("://");
  url.scheme = to_lower(text.substr(0, std::min(colon, text.size())));
  if (colon == text.npos || (url.scheme != "http" && url.scheme != "https")) {
    return refuse("it does not begin with http:// or https://");
  }
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));

  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  if (authority.find('@') != authority.npos) return refuse("it holds a user name or password");
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == authority.npos) return refuse("its \"[\" is not closed");
    const auto address = ipv6_spelling(std::string(authority.substr(1, close - 1)));
    if (!address) return refuse("what stands in brackets is not an IPv6 address");
    url.host = *address;
    url.is_ipv6_literal = true;
    authority.remove_prefix(close + 1);
  } else {
    const std::size_t size = std::min(authority.find(':'), authority.size());
    url.host = to_lower(authority.substr(0, size));
    if (const char* fault = fault_of_name(url.host)) return refuse(fault);
    authority.remove_prefix(size);
  }

  url.port = default_port(url.scheme);
  if (!authority.empty()) {
    const std::optional<int> port =
        authority.front() == ':' ? parse_port(authority.substr(1)) : std::nullopt;
    if (!port) return refuse("its port is not a number from 1 to 65535");
    url.port = *port;
  }

  url.path = text.substr(end);
  if (!escapes_are_whole(url.path))
    return refuse("it holds a \"%\" without two hexadecimal digits");
  if (!url.path.starts_with('/')) url.path.insert(0, 1, '/');
  if (url.canonical().size() > kMaxUrl) return refuse("it is longer than 2,048 bytes");
  return url;
}

}  // namespace postern
