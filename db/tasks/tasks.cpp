#include "db/tasks/tasks.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "db/pg/standby.h"
#include "db/tasks/columns.h"
#include "db/tasks/dialects.h"
#include "db/tasks/transition.h"

namespace postern::db {

State state_at_creation(const TaskSpec& spec, Time run_at, Time now) {
  if (!spec.key.empty() || !spec.dependencies.empty()) return State::blocked;
  return run_at > now ? State::delayed : State::ready;
}

Task created_task(NewTask task, Time now) {
  Task out;
  out.spec = std::move(task.spec);
  out.created_at = out.updated_at = now;
  out.run_at = task.run_at.value_or(now + task.delay);
  out.state = state_at_creation(out.spec, out.run_at, now);
  return out;
}

namespace {

constexpr Statement kExisting{"existing_tasks", R"sql(
  SELECT id FROM postern.task WHERE id = ANY($1)
  UNION ALL
  SELECT id FROM postern.task_finished WHERE id = ANY($1) AND finished_at >= $2)sql"};

}  // namespace

std::unordered_set<std::string> existing_tasks(PgConnection& connection,
                                               std::span<const TaskId> ids) {
  std::unordered_set<std::string> out;
  if (ids.empty()) return out;
  Array array(Oid::uuid);
  for (const auto& id : ids) array.uuid(id);
  const auto since = not_finished_before(*std::min_element(ids.begin(), ids.end()));
  const auto rows = connection.exec(kExisting, Params().array(array).time(since));
  if (rows.rows() == 0) return out;
  if (!wait_for_standby(connection)) return out;
  for (int i = 0; i < rows.rows(); ++i) out.insert(to_uuid(rows.uuid(i, 0)));
  return out;
}

namespace {

// NULL as the tenant: whoever's it is.
std::string get_sql(std::string_view table) {
  return fmt::format(R"sql(
  SELECT {}, run.schedule, run.nominal_time
    FROM postern.{}
    LEFT JOIN LATERAL (SELECT r.schedule, r.nominal_time, r.tenant AS owner FROM postern.schedule_run r WHERE r.task = $1 LIMIT 1) run
           ON run.owner = tenant
   WHERE id = $1 AND ($2::text IS NULL OR tenant = $2))sql",
                     task_columns(Body::whole), table);
}
const BuiltStatement kGetLive{"get_live", get_sql("task_live")};
const BuiltStatement kGetFinished{"get_finished",
                                  get_sql("task_finished") + " AND finished_at >= $3"};

Task read_whole(const PgResult& result) {
  Task task = TaskReader(result)(0);
  const int schedule = result.column("schedule");
  if (!result.is_null(0, schedule)) {
    task.schedule.emplace(ScheduledBy{std::string(result.text(0, schedule)),
                                      result.time(0, result.column("nominal_time"))});
  }
  return task;
}

std::optional<Task> task_of(PgConnection& connection, std::string_view tenant, const TaskId& id) {
  // A task that finishes between the two looks is found by the second; one that is retried between
  // them is found by the third.
  for (int look = 0; look < 2; ++look) {
    const auto live = connection.exec(kGetLive, Params().uuid(id).text_or_null(tenant));
    if (live.rows() > 0) return read_whole(live);
    const auto over = connection.exec(
        kGetFinished, Params().uuid(id).text_or_null(tenant).time(not_finished_before(id)));
    if (over.rows() > 0) return read_whole(over);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Task> get_task(PgConnection& connection, std::string_view tenant, const TaskId& id) {
  if (tenant.empty()) return std::nullopt;  // which would be anybody's
  return task_of(connection, tenant, id);
}

std::optional<Task> any_task(PgConnection& connection, const TaskId& id) {
  return task_of(connection, {}, id);
}

constexpr Statement kGlance{"glance", R"sql(
  SELECT n.at, t.state, t.attempt, t.deferred
    FROM unnest($1::int4[], $2::uuid[]) AS n(at, id)
    JOIN postern.task_live t ON t.id = n.id
  UNION ALL
  SELECT n.at, t.state, t.attempt, t.deferred
    FROM unnest($1::int4[], $2::uuid[]) AS n(at, id)
    JOIN postern.task_finished t ON t.id = n.id AND t.finished_at >= $3)sql"};

std::vector<std::optional<Glance>> glance(PgConnection& connection, std::span<const TaskId> ids) {
  std::vector<std::optional<Glance>> out(ids.size());
  if (ids.empty()) return out;
  Array at(Oid::int4), uuids(Oid::uuid);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    at.int4(static_cast<std::int32_t>(i));
    uuids.uuid(ids[i]);
  }
  const auto since = not_finished_before(*std::min_element(ids.begin(), ids.end()));
  const auto rows = connection.exec(kGlance, Params().array(at).array(uuids).time(since));
  const int place = rows.column("at"), state = rows.column("state"),
            attempt = rows.column("attempt"), deferred = rows.column("deferred");
  for (int i = 0; i < rows.rows(); ++i) {
    out[static_cast<std::size_t>(rows.integer(i, place))] =
        Glance{state_from(rows.text(i, state)), static_cast<int>(rows.integer(i, attempt)),
               rows.boolean(i, deferred)};
  }
  return out;
}

namespace {

// The definer functions answer 'done', the state that forbids it, or NULL.
constexpr Statement kCancel{"cancel_task", "SELECT postern.cancel_task($1, $2, $3, $4)"};
constexpr Statement kDelete{"delete_task", "SELECT postern.delete_task($1, $2, $3, $4, $5, $6)"};
constexpr Statement kRetry{"retry_task",
                           "SELECT postern.retry_task($1, $2, $3, $4, $5, $6, $7, $8)"};

Params transition_params(std::string_view tenant, const TaskId& id, const Uuid& instance) {
  Params params;
  params.text(tenant).uuid(id).time(not_finished_before(id)).uuid(instance);
  return params;
}

}  // namespace

Transition cancel_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                       const Uuid& instance) {
  return transition_from(
      Value(connection.exec(kCancel, transition_params(tenant, id, instance)), 0, 0));
}

Transition delete_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                       const Uuid& instance, Rules rules) {
  auto params = transition_params(tenant, id, instance);
  params.text_or_null(rules ? name(*rules) : "");
  params.array(dialects_with(&DialectTraits::deletes_any_state));
  return transition_from(Value(connection.exec(kDelete, params), 0, 0));
}

Transition retry_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                      const Uuid& instance, Rules rules) {
  auto params = transition_params(tenant, id, instance);
  params.text_or_null(rules ? name(*rules) : "");
  add_retry_rules(params);
  return transition_from(Value(connection.exec(kRetry, params), 0, 0));
}

constexpr Statement kTaskOfKey{"task_of_key", R"sql(
  SELECT task FROM postern.idempotency_key
   WHERE tenant = $1 AND key = $2 AND expires_at > now())sql"};

std::optional<TaskId> task_of_key(PgConnection& connection, std::string_view tenant,
                                  std::string_view key) {
  const auto row = connection.exec(kTaskOfKey, Params().text(tenant).text(key));
  if (row.rows() == 0) return std::nullopt;
  return row.uuid(0, 0);
}

constexpr Statement kTaskOfJob{"task_of_job", "SELECT postern.task_of_job($1, $2)"};

std::optional<TaskId> task_of_job(PgConnection& connection, std::string_view tenant,
                                  std::int64_t job_id) {
  const auto row = connection.exec(kTaskOfJob, Params().text(tenant).int8(job_id));
  if (row.is_null(0, 0)) return std::nullopt;
  return row.uuid(0, 0);
}

constexpr Statement kNextJobIds{
    "next_job_ids", "SELECT nextval('postern.job_id') AS id FROM generate_series(1, $1)"};

std::vector<std::int64_t> next_job_ids(PgConnection& connection, int count) {
  const auto rows = connection.exec(kNextJobIds, Params().int4(count));
  std::vector<std::int64_t> ids;
  for (int i = 0; i < rows.rows(); ++i) ids.push_back(rows.integer(i, 0));
  return ids;
}

}  // namespace postern::db
