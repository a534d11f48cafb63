#include "db/catalog/schedules.h"

#include <span>
#include <stdexcept>

#include <fmt/format.h>

#include "core/wire/creation_json.h"
#include "db/tasks/insertion.h"

namespace postern::db {
namespace {

template <class Enum>
Enum known(std::optional<Enum> value, std::string_view word) {
  if (!value) throw std::runtime_error(fmt::format("a schedule's \"{}\" is unknown", word));
  return *value;
}

}  // namespace

Schedule schedule_from(const PgResult& r, int row, int col) {
  Schedule out;
  out.name = r.text(row, col);
  out.spec = r.text(row, col + 1);
  if (const auto seconds = r.integer_or_null(row, col + 2)) out.interval = Seconds{*seconds};
  out.timezone = r.text(row, col + 3);
  out.task = creation_from_json(r.text(row, col + 6));
  out.task.queue = r.text(row, col + 4);
  out.task.dialect = dialect_from(r.text(row, col + 5));
  out.misfire.kind = known(misfire_from(r.text(row, col + 7)), r.text(row, col + 7));
  out.misfire.limit = static_cast<int>(r.integer(row, col + 8));
  out.misfire.window = Seconds{r.integer(row, col + 9)};
  out.overlap = known(overlap_from(r.text(row, col + 10)), r.text(row, col + 10));
  out.jitter = Seconds{r.integer(row, col + 11)};
  out.bounds = {r.time_or_null(row, col + 12), r.time_or_null(row, col + 13)};
  if (const auto offset = r.integer_or_null(row, col + 14)) out.deadline_offset = Seconds{*offset};
  out.paused = r.boolean(row, col + 15);
  out.next_at = r.time_or_null(row, col + 16);
  out.last_at = r.time_or_null(row, col + 17);
  out.created_at = r.time(row, col + 18);
  out.updated_at = r.time(row, col + 19);
  return out;
}

namespace {

constexpr Statement kNow{"transaction_time", "SELECT now()"};

constexpr Statement kGet{"get_schedule", "SELECT " POSTERN_SCHEDULE_COLUMNS R"sql(
    FROM postern.schedule WHERE tenant = $1 AND name = $2)sql"};
constexpr Statement kLock{"lock_schedule", "SELECT " POSTERN_SCHEDULE_COLUMNS R"sql(
    FROM postern.schedule WHERE tenant = $1 AND name = $2 FOR UPDATE)sql"};

std::optional<Schedule> one(PgConnection& connection, const Statement& statement,
                            std::string_view tenant, std::string_view name) {
  const auto result = connection.exec(statement, Params().text(tenant).text(name));
  if (result.rows() == 0) return std::nullopt;
  return schedule_from(result, 0);
}

}  // namespace

Time transaction_time(PgConnection& connection) { return connection.exec(kNow).time(0, 0); }

std::optional<Schedule> get_schedule(PgConnection& connection, std::string_view tenant,
                                     std::string_view name) {
  return one(connection, kGet, tenant, name);
}

std::optional<Schedule> lock_schedule(PgConnection& connection, std::string_view tenant,
                                      std::string_view name) {
  return one(connection, kLock, tenant, name);
}

namespace {

constexpr Statement kList{"list_schedules", "SELECT " POSTERN_SCHEDULE_COLUMNS R"sql(
    FROM postern.schedule
   WHERE tenant = $1 AND name > $2 AND ($3::text IS NULL OR queue = $3) ORDER BY name LIMIT $4)sql"};

}  // namespace

std::vector<Schedule> list_schedules(PgConnection& connection, std::string_view tenant,
                                     std::string_view queue, std::string_view after, int limit) {
  const auto result =
      connection.exec(kList, Params().text(tenant).text(after).text_or_null(queue).int8(limit));
  std::vector<Schedule> out;
  for (int i = 0; i < result.rows(); ++i) out.push_back(schedule_from(result, i));
  return out;
}

namespace {

constexpr Statement kInsert{"insert_schedule", R"sql(
  INSERT INTO postern.schedule
    (tenant, name, spec, interval_seconds, timezone, queue, dialect, task, misfire, misfire_limit,
     misfire_window, overlap, jitter, starts_at, ends_at, deadline_offset, paused, next_at, last_at,
     created_at, updated_at)
  SELECT name, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 * interval '1 second', $12,
         $13 * interval '1 second', $14, $15, $16 * interval '1 second', $17, $18, $19, $20, now()
    FROM postern.tenant WHERE name = $1
  ON CONFLICT DO NOTHING)sql"};

constexpr Statement kUpdate{"update_schedule", R"sql(
  UPDATE postern.schedule
     SET spec = $3, interval_seconds = $4, timezone = $5, queue = $6, dialect = $7, task = $8,
         misfire = $9, misfire_limit = $10, misfire_window = $11 * interval '1 second',
         overlap = $12, jitter = $13 * interval '1 second', starts_at = $14, ends_at = $15,
         deadline_offset = $16 * interval '1 second', paused = $17, next_at = $18, last_at = $19,
         created_at = $20, updated_at = now()
   WHERE tenant = $1 AND name = $2)sql"};

Params schedule_params(std::string_view tenant, const Schedule& schedule) {
  Params params;
  params.text(tenant).text(schedule.name).text(schedule.spec);
  schedule.interval ? params.int8(schedule.interval->count()) : params.null(Oid::int8);
  params.text(schedule.timezone).text(schedule.task.queue).text(name(schedule.task.dialect));
  params.text(creation_json(schedule.task)).text(name(schedule.misfire.kind));
  params.int4(schedule.misfire.limit).int8(schedule.misfire.window.count());
  params.text(name(schedule.overlap)).int8(schedule.jitter.count());
  params.time(schedule.bounds.starts_at).time(schedule.bounds.ends_at);
  schedule.deadline_offset ? params.int8(schedule.deadline_offset->count())
                           : params.null(Oid::int8);
  params.boolean(schedule.paused).time(schedule.next_at).time(schedule.last_at);
  params.time(schedule.created_at);
  return params;
}

}  // namespace

bool insert_schedule(PgConnection& connection, std::string_view tenant, const Schedule& schedule) {
  return connection.exec(kInsert, schedule_params(tenant, schedule)).affected() > 0;
}

void update_schedule(PgConnection& connection, std::string_view tenant, const Schedule& schedule) {
  connection.exec(kUpdate, schedule_params(tenant, schedule));
}

namespace {

constexpr Statement kDelete{"delete_schedule",
                            "DELETE FROM postern.schedule WHERE tenant = $1 AND name = $2"};
constexpr Statement kDeleteRuns{
    "delete_schedule_runs", "DELETE FROM postern.schedule_run WHERE tenant = $1 AND schedule = $2"};

}  // namespace

bool delete_schedule(PgConnection& connection, std::string_view tenant, std::string_view name) {
  // Two statements, so that the second sees the runs of a firing that the first had to wait for.
  Transaction transaction(connection);
  const bool there = connection.exec(kDelete, Params().text(tenant).text(name)).affected() > 0;
  connection.exec(kDeleteRuns, Params().text(tenant).text(name));
  transaction.commit();
  return there;
}

namespace {

constexpr Statement kRuns{"schedule_runs", R"sql(
  SELECT nominal_time, fired_at, task, skipped FROM postern.schedule_run
   WHERE tenant = $1 AND schedule = $2 AND ($3::timestamptz IS NULL OR nominal_time < $3)
   ORDER BY nominal_time DESC LIMIT $4)sql"};

}  // namespace

std::vector<ScheduleRun> schedule_runs(PgConnection& connection, std::string_view tenant,
                                       std::string_view name, std::optional<Time> before,
                                       int limit) {
  const auto result =
      connection.exec(kRuns, Params().text(tenant).text(name).time(before).int8(limit));
  std::vector<ScheduleRun> out;
  for (int i = 0; i < result.rows(); ++i) {
    ScheduleRun run{result.time(i, 0), result.time(i, 1), std::nullopt,
                    std::string(result.text(i, 3))};
    if (!result.is_null(i, 2)) run.task = result.uuid(i, 2);
    out.push_back(std::move(run));
  }
  return out;
}

namespace {

constexpr Statement kTrigger{"trigger_schedule", R"sql(
  WITH room AS MATERIALIZED (
    SELECT CASE WHEN $36 THEN postern.make_room($33, $34, 1, $1) ELSE 1 END AS places),
  whose AS (
    UPDATE postern.schedule SET last_task = $37
     WHERE tenant = $33 AND name = $35 AND (SELECT places FROM room) > 0
    RETURNING tenant, name),
  run AS (
    INSERT INTO postern.schedule_run (tenant, schedule, nominal_time, task)
    SELECT tenant, name, now(), $37 FROM whose
    RETURNING task),)sql" POSTERN_INSERTED("id IN (SELECT task FROM run)") R"sql(
  SELECT now(), (SELECT places FROM room)::bigint, (SELECT count(*) FROM made), )sql" POSTERN_TOLD};

}  // namespace

Triggered trigger_schedule(PgConnection& connection, std::string_view name, const NewTask& task,
                           std::int64_t lane, bool bounded, const Uuid& instance) {
  const TaskSpec& spec = task.spec;
  const Insertion insertion{&task, lane};
  auto params = insertion_params(instance, std::span(&insertion, 1));
  params.text(spec.tenant).text(spec.queue).text(name).boolean(bounded).uuid(spec.id);
  const auto result = connection.exec(kTrigger, params);
  Triggered out{Triggered::Kind::done, {result.time(0, 0), result.time(0, 0), spec.id, {}}};
  if (result.integer(0, 1) < 1) {
    out.kind = Triggered::Kind::full;
  } else if (result.integer(0, 2) < 1) {
    out.kind = Triggered::Kind::missing;
  }
  return out;
}

}  // namespace postern::db
