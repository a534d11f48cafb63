// The HTTP server of `postern listen`: it shows each request and answers it as planned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/headers.h"
#include "core/time/time.h"

namespace postern::admin {

struct ReceiverPlan {
  std::string address;        // REQUIRES: is_ip_address
  std::uint16_t port = 0;     // 0: a free one
  std::vector<int> statuses;  // in turn; the last one repeats. REQUIRES: not empty
  Headers headers;
  std::string body;
  Seconds delay{0};
  std::int64_t max = 0;  // requests; 0: no end
  std::optional<std::string> secret;
  bool json = false;
};

bool is_ip_address(const std::string& text);
// REQUIRES: is_ip_address.
bool is_loopback(const std::string& address);

// Returns on SIGINT, on SIGTERM, or when plan.max requests are answered. Throws
// boost::system::system_error when the address cannot be had.
void receive(ReceiverPlan plan);

}  // namespace postern::admin
