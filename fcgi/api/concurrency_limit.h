// How many lists a tenant may read at the same time. A client that is refused tries again.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/error.h"

namespace postern {

// Of so many places for all tenants, how many one may hold, so that it never keeps the others out.
constexpr int tenant_share(int places) { return std::max(1, places * 3 / 4); }

// Thread-safe. It must outlive its passes.
class ConcurrencyLimit {
 public:
  // `limit`: for each tenant, in this process.
  explicit ConcurrencyLimit(int limit) : limit_(limit) {}

  // A place, until the last copy of it has gone. Error: `rate_limited` "list_in_progress".
  using Pass = std::shared_ptr<void>;
  Result<Pass> enter(const std::string& tenant);

 private:
  void leave(const std::string& tenant);

  const int limit_;
  std::mutex mutex_;  // guards `inside_`
  std::map<std::string, int> inside_;
};

}  // namespace postern
