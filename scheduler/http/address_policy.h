// Decides which addresses and ports Postern may connect to. It checks the bytes of the address of
// the connection itself, never a name or a spelling.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/cidr.h"
#include "core/base/error.h"
#include "core/time/time.h"

struct sockaddr;

namespace postern::scheduler {

// Denies every address that is not global unicast, unless it is allowed explicitly (the tables are
// in address_policy.cpp: loopback, private, CGNAT, link-local, documentation, benchmark, multicast,
// reserved; in IPv6 all outside 2000::/3, and Teredo and other special blocks inside it). IPv4
// inside IPv6 (mapped, compatible, NAT64, 6to4) is unwrapped and checked as IPv4. The addresses of
// metadata services, which include all link-local ones, are denied even if allowed explicitly.
//
// Closed ports (core/model/closed_ports.h) are denied at every address, unless they are allowed
// explicitly. The host's own addresses that are not allowed explicitly have the ports 80 and 443
// alone: behind these is what everybody may reach, and behind others is not.
// Confined to one thread.
class AddressPolicy {
 public:
  using IsOwn = std::function<bool(const IpAddress&, Monotonic now)>;

  // `allow`: CIDRs such as "127.0.0.0/8" or "fd12::/16" that are allowed although private. `ports`:
  // closed ones that are allowed all the same. `is_own`: whether an address is this host's; by
  // default its interfaces are asked. Error: invalid_argument, reason "cidr_invalid", naming the
  // one that is no CIDR or has bits set behind its length.
  static Result<AddressPolicy> make(std::span<const std::string> allow,
                                    std::span<const int> ports = {}, IsOwn is_own = {});

  // True when a connection to `address` and its port is allowed. Families other than AF_INET and
  // AF_INET6 are denied. REQUIRES: `address` is the beginning of a sockaddr of its family.
  bool allows(const sockaddr& address) const;
  // `address` is numeric, "127.0.0.1" or "2001:db8::1". Anything else is denied.
  bool allows(const std::string& address, int port) const;
  // False: no address is allowed with this port.
  bool allows_port(int port) const;

 private:
  bool allows(const IpAddress& address, int port) const;

  std::vector<Cidr> allow_;
  std::vector<int> ports_;
  IsOwn is_own_;
};

}  // namespace postern::scheduler
