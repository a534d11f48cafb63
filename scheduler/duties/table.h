// Which duties there are. Each is in the file of its name or topic.
#pragma once

#include <vector>

#include "scheduler/duties/duties.h"

namespace postern::scheduler {

std::vector<Duty> duty_table(const DutyOptions& options);

// Tells that this scheduler lives and learns of the others. (heartbeat.cpp)
void heartbeat(const DutyRun& run);
// Takes over the tasks of schedulers that died. (rescue.cpp)
void rescue(const DutyRun& run);
// Gives back what a claim took whose answer was lost. (reclaim.cpp)
void reclaim(const DutyRun& run);

// Makes due tasks ready and finds out where there is work. (promote.cpp)
void promote(const DutyRun& run);
// Sends what came in by SQL to its lane. (route.cpp)
void route(const DutyRun& run);
// Sees to what follows from a task's end: those that waited for it, and callbacks. (follow.cpp)
void follow(const DutyRun& run);
// Makes the tasks of schedules that are due. (fire.cpp)
void fire(const DutyRun& run);

// Whole days of finished tasks. (retention.cpp)
void make_partitions(const DutyRun& run);
void drop_partitions(const DutyRun& run);

// What has outlived its use. (garbage.cpp)
void expire_keys(const DutyRun& run);
void expire_entries(const DutyRun& run);
void discard_surplus(const DutyRun& run);
void fold_counters(const DutyRun& run);
void forget_dependencies(const DutyRun& run);
void forget_runs(const DutyRun& run);
void forget_moved(const DutyRun& run);

// The rows of lanes, for people. (lanes.cpp)
void note_lanes(const DutyRun& run);
void collect_lanes(const DutyRun& run);

// What the attempts say about endpoints. (endpoint_health.cpp)
void count_times(const DutyRun& run);
void tell_health(const DutyRun& run);
void expire_health(const DutyRun& run);

// What happens in each queue minute by minute. (minutes.cpp)
void count_minute(const DutyRun& run);
void expire_minutes(const DutyRun& run);

// How deep the queues are. (gauges.cpp)
constexpr Seconds kMeasurePeriod{10};
void measure_queues(const DutyRun& run);

}  // namespace postern::scheduler
