// The addresses of this host, which come and go.
#pragma once

#include <functional>
#include <vector>

#include "core/base/cidr.h"
#include "core/time/time.h"

namespace postern::scheduler {

// Confined to one thread.
class OwnAddresses {
 public:
  using Read = std::function<std::vector<IpAddress>()>;
  // `read` returns those of the moment; by default what the host's interfaces have.
  explicit OwnAddresses(Read read = of_interfaces) : read_(std::move(read)) {}

  // Whether it is one of them, as read within the second before `now`.
  bool contains(const IpAddress& address, Monotonic now);

  // Empty when they cannot be read.
  static std::vector<IpAddress> of_interfaces();

 private:
  Read read_;
  std::vector<IpAddress> addresses_;
  Monotonic renew_at_ = Monotonic::min();
};

}  // namespace postern::scheduler
