#include "core/base/cidr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace postern {
namespace {

constexpr IpAddress kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool is_ipv4(const IpAddress& address) { return contains({kMapped, kMappedBits}, address); }

IpAddress ipv4_address(const void* four_bytes) {
  IpAddress bytes = kMapped;
  std::memcpy(bytes.data() + 12, four_bytes, 4);
  return bytes;
}

std::optional<IpAddress> parse_ip_address(const std::string& text) {
  IpAddress bytes;
  in_addr four;
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return ipv4_address(&four);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

std::optional<Cidr> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const std::string address(text.substr(0, slash));
  const auto prefix = parse_ip_address(address);
  if (!prefix) return std::nullopt;

  const bool dotted = address.find(':') == address.npos;
  const std::string_view digits = text.substr(slash + 1);
  int length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (length < 0 || length > (dotted ? 32 : 128)) return std::nullopt;
  if (dotted) length += kMappedBits;

  for (int bit = length; bit < 128; ++bit) {
    if ((*prefix)[static_cast<std::size_t>(bit / 8)] & (0x80 >> (bit % 8))) return std::nullopt;
  }
  return Cidr{*prefix, length};
}

bool contains(const Cidr& cidr, const IpAddress& address) {
  const auto whole = static_cast<std::size_t>(cidr.length / 8);
  if (!std::equal(address.begin(), address.begin() + whole, cidr.prefix.begin())) return false;
  const int rest = cidr.length % 8;
  return rest == 0 || ((address[whole] ^ cidr.prefix[whole]) >> (8 - rest)) == 0;
}

}  // namespace postern
