#include "fcgi/api/schedules.h"

#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "core/model/lane.h"
#include "core/program/log.h"
#include "core/program/task_ids.h"
#include "db/catalog/queue_defaults.h"
#include "fcgi/api/quotas.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

Error no_such_schedule(std::string_view name) {
  return not_found("schedule_not_found", fmt::format("There is no schedule {}.", log_safe(name)));
}

// write_to for what may be refused: a refusal commits nothing.
template <class Ask>
auto changed_by(db::Pool& pool, const Ask& ask)
    -> decltype(ask(std::declval<db::PgConnection&>())) {
  std::optional<decltype(ask(std::declval<db::PgConnection&>()))> answer;
  const auto done = write_to(pool, [&](db::PgConnection& connection) {
    answer.emplace(ask(connection));
    return true;
  });
  if (!done) return done.error();
  return *std::move(answer);
}

// That a task of it could be made as things are.
Result<void> check_target(db::PgConnection& connection, std::string_view tenant,
                          const Schedule& wanted) {
  const Creation& task = wanted.task;
  if (traits(task.dialect).endpoint_must_exist && !task.endpoint.empty() &&
      !db::resolve_endpoint(connection, tenant, task.endpoint)) {
    Error error =
        not_found("endpoint_not_found", fmt::format("There is no endpoint \"{}\".", task.endpoint));
    error.field = task.fields->endpoint;
    return error;
  }
  const auto queue = db::queue_defaults(connection, tenant, task.queue);
  const auto made = new_task(task, queue.value_or(QueueDefaults{}), tenant, TaskId{});
  if (!made) return made.error();
  return {};
}

bool same_times(const Schedule& a, const Schedule& b) {
  return a.spec == b.spec && a.timezone == b.timezone && a.bounds.starts_at == b.bounds.starts_at &&
         a.bounds.ends_at == b.bounds.ends_at;
}

// Checks `wanted` and fills in what follows from it. `before`: what it replaces.
Result<void> complete(db::PgConnection& connection, std::string_view tenant, Schedule& wanted,
                      const Schedule* before, Time now) {
  set_timezone(wanted);
  const Result<CronSpec> spec = check_schedule(wanted, now);
  if (!spec) return spec.error();
  if (const auto ok = check_target(connection, tenant, wanted); !ok) return ok;

  const bool same = before != nullptr && same_times(*before, wanted);
  if (same && (wanted.paused || !before->paused)) return {};
  if (!same) return set_first_time(wanted, *spec, now);
  wanted.next_at = next_occurrence(*spec, wanted, now);
  return {};
}

Result<Schedule> insert(db::PgConnection& connection, std::string_view tenant, Schedule wanted) {
  const Time now = db::transaction_time(connection);
  wanted.created_at = now;
  wanted.updated_at = now;
  if (const auto ok = complete(connection, tenant, wanted, nullptr, now); !ok) return ok.error();
  if (db::insert_schedule(connection, tenant, wanted)) return wanted;
  if (!db::get_schedule(connection, tenant, wanted.name)) {
    return not_found("tenant_not_found", fmt::format("There is no tenant \"{}\".", tenant));
  }
  return Error{Errc::duplicate, "schedule_already_exists", "name",
               fmt::format("There is a schedule {} already.", wanted.name)};
}

Result<Schedule> update(db::PgConnection& connection, std::string_view tenant,
                        const Schedule& before, Schedule wanted) {
  const Time now = db::transaction_time(connection);
  wanted.updated_at = now;
  if (const auto ok = complete(connection, tenant, wanted, &before, now); !ok) return ok.error();
  wanted.error.clear();
  db::update_schedule(connection, tenant, wanted);
  return wanted;
}

}  // namespace

Result<Schedule> SchedulesApi::create(std::string_view tenant, Schedule wanted) {
  if (const auto ok = quotas_.check(db::Quota::schedules, tenant, wanted.name, "name"); !ok) {
    return ok.error();
  }
  return changed_by(pool_, [&](auto& connection) -> Result<Schedule> {
    db::Transaction transaction(connection);
    auto made = insert(connection, tenant, wanted);
    if (made) transaction.commit();
    return made;
  });
}

Result<SchedulesApi::Put> SchedulesApi::put(std::string_view tenant, std::string_view name,
                                            const Change& change) {
  if (const auto ok = quotas_.check(db::Quota::schedules, tenant, name, "name"); !ok) {
    return ok.error();
  }
  return changed_by(pool_, [&](auto& connection) -> Result<Put> {
    db::Transaction transaction(connection);
    const auto before = db::lock_schedule(connection, tenant, name);
    Schedule wanted;
    wanted.name = name;
    wanted.paused = before && before->paused;
    if (const auto ok = change(wanted); !ok) return ok.error();
    if (before) {
      wanted.created_at = before->created_at;
      wanted.next_at = before->next_at;
      wanted.last_at = before->last_at;
    }
    auto done = before ? update(connection, tenant, *before, std::move(wanted))
                       : insert(connection, tenant, std::move(wanted));
    if (!done) return done.error();
    transaction.commit();
    return Put{std::move(*done), !before};
  });
}

Result<Schedule> SchedulesApi::change(std::string_view tenant, std::string_view name,
                                      const Change& change) {
  return changed_by(pool_, [&](auto& connection) -> Result<Schedule> {
    db::Transaction transaction(connection);
    const auto before = db::lock_schedule(connection, tenant, name);
    if (!before) return no_such_schedule(name);
    Schedule wanted = *before;
    if (const auto ok = change(wanted); !ok) return ok.error();
    auto done = update(connection, tenant, *before, std::move(wanted));
    if (done) transaction.commit();
    return done;
  });
}

Result<Schedule> SchedulesApi::set_paused(std::string_view tenant, std::string_view name,
                                          bool paused) {
  return changed_by(pool_, [&](auto& connection) -> Result<Schedule> {
    db::Transaction transaction(connection);
    auto found = db::lock_schedule(connection, tenant, name);
    if (!found) return no_such_schedule(name);
    if (found->paused == paused) return std::move(*found);
    const auto done = postern::set_paused(*found, paused, db::transaction_time(connection));
    if (!done) return done.error();
    db::update_schedule(connection, tenant, *found);
    transaction.commit();
    return std::move(*found);
  });
}

Result<Schedule> SchedulesApi::get(std::string_view tenant, std::string_view name) {
  auto found = read_from(
      pool_, [&](auto& connection) { return db::get_schedule(connection, tenant, name); });
  if (!found) return no_such_schedule(name);
  return std::move(*found);
}

std::vector<Schedule> SchedulesApi::list(std::string_view tenant, std::string_view queue,
                                         std::string_view after, int limit) {
  return read_from(reads_, [&](auto& connection) {
    return db::list_schedules(connection, tenant, queue, after, limit);
  });
}

Result<void> SchedulesApi::remove(std::string_view tenant, std::string_view name) {
  const auto there = write_to(
      pool_, [&](auto& connection) { return db::delete_schedule(connection, tenant, name); });
  if (!there) return there.error();
  if (!*there) return no_such_schedule(name);
  return {};
}

Result<std::vector<Time>> SchedulesApi::next(std::string_view tenant, std::string_view name,
                                             int count) {
  std::optional<Schedule> found;
  const Time now = read_from(pool_, [&](auto& connection) {
    found = db::get_schedule(connection, tenant, name);
    return db::transaction_time(connection);
  });
  if (!found) return no_such_schedule(name);
  const Result<CronSpec> spec = check_schedule(*found, now);
  if (!spec) return spec.error();
  return occurrences_after(*spec, *found, now, count);
}

Result<std::vector<Time>> SchedulesApi::preview(Schedule wanted, int count) {
  set_timezone(wanted);
  const Result<CronSpec> spec = check_times(wanted);
  if (!spec) return spec.error();
  const Time now =
      read_from(pool_, [](auto& connection) { return db::transaction_time(connection); });
  wanted.created_at = now;
  if (const auto ok = set_first_time(wanted, *spec, now); !ok) return ok.error();
  return occurrences_after(*spec, wanted, now, count);
}

Result<std::vector<db::ScheduleRun>> SchedulesApi::runs(std::string_view tenant,
                                                        std::string_view name,
                                                        std::optional<Time> before, int limit) {
  bool there = false;
  auto runs = read_from(reads_, [&](auto& connection) {
    there = db::get_schedule(connection, tenant, name).has_value();
    return db::schedule_runs(connection, tenant, name, before, limit);
  });
  if (!there) return no_such_schedule(name);
  return runs;
}

Result<db::ScheduleRun> SchedulesApi::trigger(std::string_view tenant, std::string_view name) {
  return changed_by(pool_, [&](auto& connection) -> Result<db::ScheduleRun> {
    const auto schedule = db::get_schedule(connection, tenant, name);
    if (!schedule) return no_such_schedule(name);
    const Time now = db::transaction_time(connection);
    if (const auto ok = check_schedule(*schedule, now); !ok) return ok.error();
    const std::string& queue = schedule->task.queue;
    db::make_queue(connection, tenant, queue);
    const auto defaults = db::queue_defaults(connection, tenant, queue).value_or(QueueDefaults{});
    Result<NewTask> task = occurrence_task(*schedule, now, defaults, tenant, new_task_id());
    if (!task) return task.error();
    task->run_at.reset();  // no jitter: at once

    const auto lane = lane_id(tenant, queue, lane_target(task->spec));
    if (const auto ok = quotas_.check_task(task->spec, lane, "", ""); !ok) return ok.error();
    auto done = db::trigger_schedule(connection, name, *task, lane, defaults.bounded, instance_);
    switch (done.kind) {
      case db::Triggered::Kind::done: break;
      case db::Triggered::Kind::missing: return no_such_schedule(name);
      case db::Triggered::Kind::full:
        return conflict("queue_full",
                        fmt::format("The queue \"{}\" holds as many tasks as it may.", queue));
    }
    return std::move(done.run);
  });
}

}  // namespace postern
