// All checks at once, for the handlers, with what there is to show beside them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/time/time.h"
#include "db/catalog/paced_lanes.h"
#include "db/catalog/schedulers.h"
#include "db/health/check.h"
#include "db/health/installation.h"

namespace postern::db::health {

struct Finding {
  std::string name;
  Diagnosis verdict;
};

struct Installation {
  std::vector<HandlerNumbers> handlers;
  DatabaseNumbers database;
  std::vector<PartitionNumbers> partitions;
};

struct Report {
  Time now;                  // of the database
  Grade status = Grade::ok;  // ok, warning or wrong: the worst of the checks
  std::vector<Finding> checks;
  std::vector<SchedulerNumbers> schedulers;  // of the whole installation
  std::vector<PacedLane> breakers;
  std::optional<Installation> installation;  // of no tenant's report
};

// Of one tenant, or of all and the installation when `tenant` is empty. `here`: the time of the
// machine that works with this database. A check that cannot be made says so; one that the database
// has no time for, and those after kPatience, are skipped. Blocks for kPatience and a statement's
// time at most. Throws PgError when the connection is lost.
Report examine(PgConnection& connection, const std::string& tenant, Time here);
constexpr Seconds kPatience{5};

}  // namespace postern::db::health
