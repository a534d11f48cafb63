#include "scheduler/http/own_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace postern::scheduler {
namespace {

constexpr std::chrono::seconds kRenewEvery{1};

}  // namespace

bool OwnAddresses::contains(const IpAddress& address, Monotonic now) {
  if (now >= renew_at_) {
    // Those that were known stay known when they cannot be read.
    if (auto read = read_(); !read.empty()) addresses_ = std::move(read);
    renew_at_ = now + kRenewEvery;
  }
  return std::ranges::find(addresses_, address) != addresses_.end();
}

std::vector<IpAddress> OwnAddresses::of_interfaces() {
  std::vector<IpAddress> out;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return out;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in in;
      std::memcpy(&in, each->ifa_addr, sizeof in);
      out.push_back(ipv4_address(&in.sin_addr));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 in6;
      std::memcpy(&in6, each->ifa_addr, sizeof in6);
      IpAddress& bytes = out.emplace_back();
      std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
    }
  }
  freeifaddrs(first);
  return out;
}

}  // namespace postern::scheduler
