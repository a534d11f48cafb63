// IP addresses as bytes, and ranges of them. No name is looked up.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

// 16 bytes in network order. An IPv4 address is stored in its IPv6-mapped form, ::ffff:a.b.c.d.
using IpAddress = std::array<std::uint8_t, 16>;
inline constexpr int kMappedBits = 96;  // length of the prefix ::ffff:0:0 of every IPv4 address

IpAddress ipv4_address(const void* four_bytes);
bool is_ipv4(const IpAddress& address);
// "127.0.0.1" or "2001:db8::1"; nullopt for anything else.
std::optional<IpAddress> parse_ip_address(const std::string& text);

struct Cidr {
  IpAddress prefix;
  int length;  // 0..128
};

// "10.0.0.0/8" or "fd12::/16". nullopt for anything else, and when bits behind the length are set:
// 10.0.0.1/8 could mean one address or sixteen million.
std::optional<Cidr> parse_cidr(std::string_view text);
bool contains(const Cidr& cidr, const IpAddress& address);

}  // namespace postern
