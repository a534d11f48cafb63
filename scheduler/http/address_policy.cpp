#include "scheduler/http/address_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/model/closed_ports.h"
#include "scheduler/http/own_addresses.h"

namespace postern::scheduler {
namespace {

// Metadata services of clouds, which serve the credentials of a machine. Always denied, whatever is
// allowed.
constexpr std::string_view kMetadata[] = {
    "169.254.0.0/16",      // link-local: nearly all clouds
    "fe80::/10",           //
    "fd00:ec2::254/128",   // AWS
    "fd20:ce::254/128",    // Google
    "100.100.100.200/32",  // Alibaba
    "192.0.0.192/32",      // Oracle
    "168.63.129.16/32",    // Azure; a public address that never leaves the host
};

// From the IANA registries of special-purpose addresses.
constexpr std::string_view kSpecial[] = {
    "0.0.0.0/8",        // this network; 0.0.0.0 connects to this host
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // CGNAT
    "127.0.0.0/8",      // loopback
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.88.99.0/24",   // 6to4 relays, deprecated
    "192.168.0.0/16",   // private
    "198.18.0.0/15",    // benchmarks
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, broadcast
    "2001::/23",        // protocol assignments, Teredo, ORCHID
    "2001:db8::/32",    // documentation
    "3fff::/20",        // documentation
};
// What this host has there it has for everybody.
constexpr int kHttp = 80;
constexpr int kHttps = 443;

constexpr std::string_view kGlobalUnicast = "2000::/3";

// True when `cidr` contains `address` and is of the same family. "::/0" means all of IPv6 and not
// all of IPv4 too, although an IPv4 address is stored as ::ffff:a.b.c.d.
bool covers(const Cidr& cidr, const IpAddress& address) {
  return contains(cidr, address) && (!is_ipv4(address) || cidr.length >= kMappedBits);
}

bool any_covers(const std::vector<Cidr>& cidrs, const IpAddress& address) {
  return std::any_of(cidrs.begin(), cidrs.end(),
                     [&](const Cidr& cidr) { return covers(cidr, address); });
}

std::vector<Cidr> parse_table(std::span<const std::string_view> table) {
  std::vector<Cidr> cidrs;
  for (const std::string_view text : table) cidrs.push_back(parse_cidr(text).value());
  return cidrs;
}

struct Tables {
  std::vector<Cidr> metadata = parse_table(kMetadata);
  std::vector<Cidr> special = parse_table(kSpecial);
  Cidr global_unicast = parse_cidr(kGlobalUnicast).value();
  Cidr compatible = parse_cidr("::/96").value();
  Cidr nat64 = parse_cidr("64:ff9b::/96").value();
  Cidr six_to_four = parse_cidr("2002::/16").value();
};

const Tables& tables() {
  static const Tables kTables;
  return kTables;
}

// The IPv4 address to which a gateway or the kernel would translate this IPv6 address; nullopt if
// none. The mapped form needs no unwrapping, because IPv4 addresses are stored in it.
std::optional<IpAddress> embedded_ipv4(const IpAddress& address) {
  if (contains(tables().six_to_four, address)) return ipv4_address(address.data() + 2);
  if (contains(tables().nat64, address) || contains(tables().compatible, address)) {
    return ipv4_address(address.data() + 12);
  }
  return std::nullopt;
}

}  // namespace

Result<AddressPolicy> AddressPolicy::make(std::span<const std::string> allow,
                                          std::span<const int> ports, IsOwn is_own) {
  AddressPolicy policy;
  policy.ports_.assign(ports.begin(), ports.end());
  policy.is_own_ = std::move(is_own);
  if (!policy.is_own_) {
    policy.is_own_ = [own = std::make_shared<OwnAddresses>()](const IpAddress& address,
                                                              Monotonic now) {
      return own->contains(address, now);
    };
  }
  for (const std::string& text : allow) {
    const auto cidr = parse_cidr(text);
    if (!cidr) {
      return invalid("cidr_invalid", "",
                     fmt::format("\"{}\" is not a range of addresses such as 10.0.0.0/8 or "
                                 "fd12::/16, with no bits set behind its length.",
                                 text));
    }
    policy.allow_.push_back(*cidr);
  }
  return policy;
}

bool AddressPolicy::allows(const sockaddr& address) const {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return allows(ipv4_address(&in.sin_addr), ntohs(in.sin_port));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &address, sizeof in6);
    IpAddress bytes;
    std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
    return allows(bytes, ntohs(in6.sin6_port));
  }
  return false;
}

bool AddressPolicy::allows(const std::string& address, int port) const {
  const auto bytes = parse_ip_address(address);
  return bytes && allows(*bytes, port);
}

bool AddressPolicy::allows_port(int port) const {
  return closed_port(port).empty() || std::ranges::find(ports_, port) != ports_.end();
}

bool AddressPolicy::allows(const IpAddress& address, int port) const {
  if (!allows_port(port)) return false;
  const std::optional<IpAddress> inner = embedded_ipv4(address);
  if (any_covers(tables().metadata, address)) return false;
  if (inner && any_covers(tables().metadata, *inner)) return false;
  if (any_covers(allow_, address)) return true;
  if (port != kHttp && port != kHttps && is_own_(address, std::chrono::steady_clock::now())) {
    return false;
  }
  if (inner) return allows(*inner, port);
  if (any_covers(tables().special, address)) return false;
  return is_ipv4(address) || contains(tables().global_unicast, address);
}

}  // namespace postern::scheduler
