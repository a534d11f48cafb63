// Occurrences of schedules that have come: which are due, and firing them in one statement.
// Statements for a Channel.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/schedule.h"
#include "db/pg/connection.h"

namespace postern::db {

// The schedules that are due: up to `most`, and about 16 MiB. When there are more, the tenants that
// have any take turns, those behind `behind` first: each has its share, and of those its longest
// waiting ones. They come in rounds: first the first one of each tenant in turn, then the second
// ones. Locks nothing, and reads no more of a tenant than that.
constexpr int kSchedulesAtOnce = 500;
struct DueScope {
  std::string behind{};  // a tenant
  int most = kSchedulesAtOnce;
  std::int64_t quota_waiting = 0;  // how many tasks of a tenant may wait; 0: any number
};
extern const BuiltStatement kDueSchedules;
Params due_schedules_params(const DueScope& scope = {});
struct DueSchedule {
  std::string tenant;
  Schedule schedule;  // of an odd row at least name, task.queue, next_at and updated_at
  std::optional<QueueDefaults> queue;  // nullopt: it is not there yet
  bool overlaps = false;               // the task of its last run is live, and overlap is "skip"
  bool over_quota = false;  // as many of its tenant's tasks wait as may, by the last measurement
};
struct Due {
  Time now{};
  bool paused = false;  // the whole engine is
  std::vector<DueSchedule> schedules;
  bool more = false;  // may be due. Without any in `schedules` they are of tenants behind `turn`
  std::string turn = {};  // the last tenant in turn
};
Due due_from(const PgResult& result);

// What is to become of a schedule's occurrences up to now.
struct Occurrence {
  Time nominal{};
  std::optional<NewTask> task;
  std::int64_t lane = 0;
  std::string skipped;  // without a task: why
};
struct Firing {
  std::string tenant, name, queue;
  Time read_next_at{}, read_updated_at{};  // as it was read: whoever changed it since wins
  std::optional<Time> next_at, last_at;
  bool queue_bounded = false, queue_missing = false;
  std::int64_t missed = 0;
  std::size_t bytes = 0;  // of the bodies
  std::vector<Occurrence> occurrences;
};

// Fires them, all or nothing: of each schedule that is as it was read and in nobody's hands, moves
// next_at, records the occurrences and inserts the tasks of those that nobody recorded before. In a
// queue that has no room for a task the occurrence is recorded as "queue_full".
extern const BuiltStatement kFire;
Params fire_params(const Uuid& instance, std::span<const Firing> firings);
struct Fired {
  std::int64_t schedules, tasks, missed;
};
Fired fired_from(const PgResult& result);

// Forgets runs older than 30 days but for the latest of each schedule, up to `most`.
extern const Statement kForgetRuns;
Params forget_runs_params(int most = 10'000);

}  // namespace postern::db
