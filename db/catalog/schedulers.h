// The schedulers as their heartbeats show them. Blocks; throws PgError when the database does not
// play along.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time/time.h"
#include "core/wire/scheduler_gauges.h"
#include "db/pg/connection.h"

namespace postern::db {

// One that has not said goodbye.
struct SchedulerNumbers {
  std::string name, version;
  Time since;
  double beat_age = 0;  // seconds
  bool up = false;      // has beaten within the last minute
  std::int64_t slots = 0, in_flight = 0, parked = 0;
  std::vector<SchedulerGauges::Lane> lanes = {};  // that it holds back
  std::vector<int> egress_ports_allow = {};       // as set
};

// Those of one name together: one that was killed and started again is there twice for a while.
struct NamedScheduler {
  bool up = false;                         // one of them is
  std::int64_t in_flight = 0, parked = 0;  // of those that are up
};

// By name.
std::vector<SchedulerNumbers> schedulers(PgConnection& connection);
// The keys are those of `schedulers`, which must outlive them.
std::map<std::string_view, NamedScheduler> by_name(const std::vector<SchedulerNumbers>& schedulers);

// The lanes that schedulers which are up hold back. Several may see the same lane, and differ.
std::vector<SchedulerGauges::Lane> lanes_held_back(const std::vector<SchedulerNumbers>& schedulers);

// What is known of them together.
struct SchedulersHeard {
  std::int64_t up = 0;                    // that have beaten within the last minute
  std::optional<double> seconds_since{};  // since one has; nullopt: all have said goodbye
};
SchedulersHeard schedulers_heard(PgConnection& connection);

}  // namespace postern::db
