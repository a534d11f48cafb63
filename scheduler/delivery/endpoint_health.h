// How the attempts at each endpoint end, and those of each tenant, minute by minute, until the
// database is told. Pure.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "db/catalog/endpoints.h"
#include "db/engine/claim.h"
#include "db/engine/settle.h"

namespace postern::scheduler {

// Confined to one thread.
class EndpointHealth {
 public:
  // An attempt was made, which took so long and has this end. One without an endpoint is its
  // tenant's alone.
  void add(const db::Claimed& task, const db::Settlement& end, Milliseconds duration);

  // What has gathered since the last call.
  std::vector<db::EndpointMinute> take();

 private:
  std::map<std::tuple<std::string, std::string, Time>, db::EndpointMinute> minutes_;
};

}  // namespace postern::scheduler
