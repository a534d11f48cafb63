// What is to become of a schedule that is due: which occurrences make a task, which are skipped and
// why. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/time/time.h"
#include "db/engine/occurrences.h"

namespace postern::scheduler {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

// All occurrences up to `now`, by the rules of schedule_times.h. Skipped ones say why: "missed"
// (the misfire policy), "overlap" (the task of the run before is still live), "paused" (the whole
// engine is), "quota_exceeded" (as many tasks of its tenant wait as may), "invalid" (the row, or
// the task it asks for, breaks a rule). A schedule whose times cannot even be told is looked at
// again after an hour. What is behind the occurrence that brings the bodies of the tasks to
// kMostBytes is still due. `new_id` makes ids for tasks.
db::Firing plan_firing(const db::DueSchedule& due, Time now, bool paused,
                       const std::function<TaskId()>& new_id);

// One step of all that is due: it ends with the schedule that brings its occurrences to `most` or
// the bodies to kMostBytes, or after which `late()`.
struct FiringStep {
  std::vector<db::Firing> firings;
  std::string turn;  // the last tenant in turn. Those behind it come first in the next step
};
FiringStep plan_step(const db::Due& due, std::size_t most, const std::function<bool()>& late,
                     const std::function<TaskId()>& new_id);

}  // namespace postern::scheduler
