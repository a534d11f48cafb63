// What a scheduler tells about itself with each heartbeat. It is kept as JSON in the column
// `gauges` of postern.instance: the scheduler writes it, /metrics and the endpoints' health read
// it, and both do so by these two functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

struct SchedulerGauges {
  // A lane from which it takes less than it could, because of what its receiver answers.
  struct Lane {
    std::int64_t lane;
    std::string state;  // "open", "half_open" or "throttled"
  };

  std::int64_t slots = 0;
  std::int64_t in_flight = 0;
  std::int64_t parked = 0;  // of those in flight
  std::int64_t unsettled = 0;
  std::int64_t egress_denied = 0;
  std::vector<int> egress_ports_allow = {};  // as set
  std::string cell = {};                     // the label, as set
  std::vector<Lane> lanes;
};

std::string to_json(const SchedulerGauges& gauges);

// What is missing, or is of another type, counts as nothing: another version may have written it.
SchedulerGauges scheduler_gauges_from(std::string_view json);

}  // namespace postern
