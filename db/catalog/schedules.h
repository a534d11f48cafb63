// Schedules and what became of them, as the API asks: read, written, triggered by hand. How they
// fire by themselves is in occurrences.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "core/model/schedule.h"
#include "db/pg/connection.h"
#include "db/pg/rows.h"

namespace postern::db {

// The columns of a whole schedule.
std::span<const Column<Schedule>> schedule_columns();

// The database's clock, the same throughout a transaction.
Time transaction_time(PgConnection& connection);

// An odd row hides no other: it comes with what can be read of it, and with Schedule::error.
std::optional<Schedule> get_schedule(PgConnection& connection, std::string_view tenant,
                                     std::string_view name);
// The same, and nobody else changes or fires it until the transaction ends.
std::optional<Schedule> lock_schedule(PgConnection& connection, std::string_view tenant,
                                      std::string_view name);

// By name: up to `limit` of those whose names come after `after`. `queue`: only of this one.
std::vector<Schedule> list_schedules(PgConnection& connection, std::string_view tenant,
                                     std::string_view queue, std::string_view after, int limit);

// Of `schedule` all is written but updated_at, which is now. Insert: false when the name is taken
// or there is no such tenant.
bool insert_schedule(PgConnection& connection, std::string_view tenant, const Schedule& schedule);
void update_schedule(PgConnection& connection, std::string_view tenant, const Schedule& schedule);

// Takes away the schedule and its runs; its tasks stay. False: there was none.
bool delete_schedule(PgConnection& connection, std::string_view tenant, std::string_view name);

using postern::ScheduleRun;
// Newest first: up to `limit` of those before `before`.
std::vector<ScheduleRun> schedule_runs(PgConnection& connection, std::string_view tenant,
                                       std::string_view name, std::optional<Time> before,
                                       int limit);

// Makes `task` now and records it as a run of the schedule, paused or not.
struct Triggered {
  enum class Kind { done, missing, full } kind;
  ScheduleRun run;
};
Triggered trigger_schedule(PgConnection& connection, std::string_view name, const NewTask& task,
                           std::int64_t lane, bool bounded, const Uuid& instance);

}  // namespace postern::db
