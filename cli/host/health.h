// What `postern check` looks at, and what it makes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output/grade.h"
#include "core/time/time.h"
#include "db/catalog/recent_ends.h"

namespace postern::admin {

struct Health {
  int schedulers = 0, silent = 0;
  double oldest_due = 0;     // seconds
  std::string oldest_queue;  // "tenant/queue"; empty: none is due
  std::int64_t ready = 0, created = 0, finished = 0, failed = 0;
  int open_breakers = 0;
  bool paused = false;                   // the whole engine
  std::optional<db::RecentEnds> recent;  // nullopt: not known
};

struct Thresholds {
  Seconds due_warning{300}, due_critical{900};
  int failed_warning = db::kManyFailedPercent, failed_critical = 50;  // percent
  int schedulers = 1;                                                 // fewer is critical
};

struct Report {
  Grade grade = Grade::ok;
  std::string line;  // with performance data
};

Report judge(const Health& health, const Thresholds& thresholds);
// A line for what could not be looked at.
Report trouble(Grade grade, std::string_view sentence);

// From the text of /metrics; nullopt when it is not Postern's.
std::optional<Health> read_metrics(std::string_view text);

}  // namespace postern::admin
