// One GET over HTTP, without a key.
#pragma once

#include <string>

namespace postern::admin {

struct Fetched {
  int status = 0;  // 0: there is no answer, and `body` says why
  std::string body;
};

// Waits for 10 seconds at most, and follows no redirect. `ca_file`: authorities to trust; empty:
// the system's.
Fetched fetch(const std::string& url, const std::string& ca_file);

}  // namespace postern::admin
