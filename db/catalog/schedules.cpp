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

// The task is read before what stands in columns of its own.
constexpr Column<Schedule> kColumns[] = {
    {"name", [](Schedule& schedule, const Value& value) { schedule.name = value.text(); }},
    {"spec", [](Schedule& schedule, const Value& value) { schedule.spec = value.text(); }},
    {"interval_seconds",
     [](Schedule& schedule, const Value& value) {
       if (!value.is_null()) schedule.interval = Seconds{value.integer()};
     }},
    {"timezone", [](Schedule& schedule, const Value& value) { schedule.timezone = value.text(); }},
    {"task", [](Schedule& schedule,
                const Value& value) { schedule.task = creation_from_json(value.text()); }},
    {"queue", [](Schedule& schedule, const Value& value) { schedule.task.queue = value.text(); }},
    {"dialect", [](Schedule& schedule,
                   const Value& value) { schedule.task.dialect = dialect_from(value.text()); }},
    {"misfire",
     [](Schedule& schedule, const Value& value) {
       schedule.misfire.kind = known(misfire_from(value.text()), value.text());
     }},
    {"misfire_limit",
     [](Schedule& schedule, const Value& value) { schedule.misfire.limit = value.int4(); }},
    {"misfire_seconds",
     [](Schedule& schedule, const Value& value) {
       schedule.misfire.window = Seconds{value.integer()};
     },
     "extract(epoch FROM misfire_window)::bigint"},
    {"overlap",
     [](Schedule& schedule, const Value& value) {
       schedule.overlap = known(overlap_from(value.text()), value.text());
     }},
    {"jitter_seconds",
     [](Schedule& schedule, const Value& value) { schedule.jitter = Seconds{value.integer()}; },
     "extract(epoch FROM jitter)::bigint"},
    {"starts_at", [](Schedule& schedule,
                     const Value& value) { schedule.bounds.starts_at = value.time_or_null(); }},
    {"ends_at", [](Schedule& schedule,
                   const Value& value) { schedule.bounds.ends_at = value.time_or_null(); }},
    {"deadline_seconds",
     [](Schedule& schedule, const Value& value) {
       if (!value.is_null()) schedule.deadline_offset = Seconds{value.integer()};
     },
     "extract(epoch FROM deadline_offset)::bigint"},
    {"paused", [](Schedule& schedule, const Value& value) { schedule.paused = value.boolean(); }},
    {"next_at",
     [](Schedule& schedule, const Value& value) { schedule.next_at = value.time_or_null(); }},
    {"last_at",
     [](Schedule& schedule, const Value& value) { schedule.last_at = value.time_or_null(); }},
    {"created_at",
     [](Schedule& schedule, const Value& value) { schedule.created_at = value.time(); }},
    {"updated_at",
     [](Schedule& schedule, const Value& value) { schedule.updated_at = value.time(); }},
};

}  // namespace

std::span<const Column<Schedule>> schedule_columns() { return kColumns; }

namespace {

constexpr Statement kNow{"transaction_time", "SELECT now()"};

const BuiltStatement kGet{"get_schedule", "SELECT " + select_list(kColumns) + R"sql(
    FROM postern.schedule WHERE tenant = $1 AND name = $2)sql"};
const BuiltStatement kLock{"lock_schedule", "SELECT " + select_list(kColumns) + R"sql(
    FROM postern.schedule WHERE tenant = $1 AND name = $2 FOR UPDATE)sql"};

Schedule read_schedule(const RowReader<Schedule>& reader, int row) {
  Schedule schedule;
  schedule.unreadable = reader.read_what_can_be(row, schedule);
  if (const auto ok = check_schedule(schedule, Time{}); !ok) schedule.error = ok.error().message;
  return schedule;
}

std::optional<Schedule> one(PgConnection& connection, const Statement& statement,
                            std::string_view tenant, std::string_view name) {
  const auto result = connection.exec(statement, Params().text(tenant).text(name));
  if (result.rows() == 0) return std::nullopt;
  return read_schedule(RowReader<Schedule>(result, kColumns), 0);
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

const BuiltStatement kList{"list_schedules", "SELECT " + select_list(kColumns) + R"sql(
    FROM postern.schedule
   WHERE tenant = $1 AND name > $2 AND ($3::text IS NULL OR queue = $3) ORDER BY name LIMIT $4)sql"};

}  // namespace

std::vector<Schedule> list_schedules(PgConnection& connection, std::string_view tenant,
                                     std::string_view queue, std::string_view after, int limit) {
  const auto result =
      connection.exec(kList, Params().text(tenant).text(after).text_or_null(queue).int8(limit));
  const RowReader<Schedule> reader(result, kColumns);
  std::vector<Schedule> schedules;
  for (int row = 0; row < result.rows(); ++row) schedules.push_back(read_schedule(reader, row));
  return schedules;
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

constexpr Column<ScheduleRun> kRunColumns[] = {
    {"nominal_time", [](ScheduleRun& run, const Value& value) { run.nominal = value.time(); }},
    {"fired_at", [](ScheduleRun& run, const Value& value) { run.fired_at = value.time(); }},
    {"task",
     [](ScheduleRun& run, const Value& value) {
       if (!value.is_null()) run.task = value.uuid();
     }},
    {"skipped", [](ScheduleRun& run, const Value& value) { run.skipped = value.text(); }},
};

}  // namespace

std::vector<ScheduleRun> schedule_runs(PgConnection& connection, std::string_view tenant,
                                       std::string_view name, std::optional<Time> before,
                                       int limit) {
  const auto result =
      connection.exec(kRuns, Params().text(tenant).text(name).time(before).int8(limit));
  return RowReader<ScheduleRun>(result, kRunColumns).all();
}

namespace {

const BuiltStatement kTrigger{"trigger_schedule", R"sql(
  WITH room AS MATERIALIZED (
    SELECT CASE WHEN $5 THEN postern.make_room($2, $3, 1, $1) ELSE 1 END AS places),
  whose AS (
    UPDATE postern.schedule SET last_task = $6
     WHERE tenant = $2 AND name = $4 AND (SELECT places FROM room) > 0
    RETURNING tenant, name),
  run AS (
    INSERT INTO postern.schedule_run (tenant, schedule, nominal_time, task)
    SELECT tenant, name, now(), $6 FROM whose
    RETURNING task),)sql" + insertion_sql("id IN (SELECT task FROM run)", 7) +
                                                      R"sql(
  SELECT now() AS now, (SELECT places FROM room)::bigint AS places, (SELECT count(*) FROM made) AS made,
         )sql" + kTellSchedulers};

}  // namespace

Triggered trigger_schedule(PgConnection& connection, std::string_view name, const NewTask& task,
                           std::int64_t lane, bool bounded, const Uuid& instance) {
  const TaskSpec& spec = task.spec;
  const Insertion insertion{&task, lane};
  Params params;
  params.uuid(instance).text(spec.tenant).text(spec.queue).text(name).boolean(bounded);
  params.uuid(spec.id);
  add_batch(params, std::span(&insertion, 1));
  const auto result = connection.exec(kTrigger, params);
  const Time now = result.time(0, result.column("now"));
  Triggered out{Triggered::Kind::done, {now, now, spec.id, {}}};
  if (result.integer(0, result.column("places")) < 1) {
    out.kind = Triggered::Kind::full;
  } else if (result.integer(0, result.column("made")) < 1) {
    out.kind = Triggered::Kind::missing;
  }
  return out;
}

}  // namespace postern::db
