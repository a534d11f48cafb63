// Decides which addresses Postern may connect to. It checks the bytes of the address of the
// connection itself, never a name or a spelling.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/cidr.h"
#include "core/base/error.h"

struct sockaddr;

namespace postern::scheduler {

// Denies every address that is not global unicast, unless it is allowed explicitly (the tables are
// in address_policy.cpp: loopback, private, CGNAT, link-local, documentation, benchmark, multicast,
// reserved; in IPv6 all outside 2000::/3, and Teredo and other special blocks inside it). IPv4
// inside IPv6 (mapped, compatible, NAT64, 6to4) is unwrapped and checked as IPv4. The addresses of
// metadata services, which include all link-local ones, are denied even if allowed explicitly.
// Immutable, hence thread-safe.
class AddressPolicy {
 public:
  // `allow`: CIDRs such as "127.0.0.0/8" or "fd12::/16" that are allowed although private. Error:
  // invalid_argument, reason "cidr_invalid", naming the one that is no CIDR or has bits set behind
  // its length.
  static Result<AddressPolicy> make(std::span<const std::string> allow);

  // True when a connection to `address` is allowed. Families other than AF_INET and AF_INET6 are
  // denied. REQUIRES: `address` is the beginning of a sockaddr of its family.
  bool allows(const sockaddr& address) const;
  // `address` is numeric, "127.0.0.1" or "2001:db8::1". Anything else is denied.
  bool allows(const std::string& address) const;

 private:
  bool allows(const IpAddress& address) const;

  std::vector<Cidr> allow_;
};

}  // namespace postern::scheduler
