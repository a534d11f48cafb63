#include "fcgi/api/tasks.h"

#include <exception>
#include <utility>

#include "core/model/ids.h"
#include "db/tasks/dependency_results.h"
#include "fcgi/api/task_lookup.h"
#include "fcgi/server/db_access.h"

namespace postern {

Result<Task> TasksApi::reread(const std::string& tenant, const TaskId& id) {
  auto task = read_from(pool_, [&](auto& connection) {
    auto found = db::get_task(connection, tenant, id);
    if (found && found->spec.load_results && found->attempt > 0) {
      found->dependency_results =
          db::dependency_results(connection, tenant, found->spec.dependencies);
    }
    return found;
  });
  if (!task) return no_such_task(to_typeid(id));
  return std::move(*task);
}

Result<Task> TasksApi::get(const Caller& caller, std::string_view id, Seconds wait) {
  const auto task_id = known_task(pool_, caller.tenant, id);
  if (!task_id) return no_such_task(id);
  Result<Task> task = reread(caller.tenant, *task_id);
  if (!task) return no_such_task(id);
  if (wait.count() == 0 || is_finished(task->state)) return task;
  waiters_.wait(*task, wait);
  return reread(caller.tenant, *task_id);
}

std::optional<Dialect> TasksApi::dialect_of(const Caller& caller, std::string_view id) try {
  const Result<Task> task = get(caller, id, Seconds{0});
  if (!task) return std::nullopt;
  return task->spec.dialect;
} catch (const std::exception&) {
  return std::nullopt;
}

Result<db::Page> TasksApi::list(const Caller& caller, const db::TaskFilter& filter) {
  return read_from(
      reads_, [&](auto& connection) { return db::list_tasks(connection, caller.tenant, filter); });
}

db::Listed TasksApi::first(const Caller& caller, const db::TaskFilter& filter) {
  return read_from(
      reads_, [&](auto& connection) { return db::next_tasks(connection, caller.tenant, filter); });
}

// Transitions are asked for once: when the connection breaks under way, nobody knows whether it was
// done.
Result<TaskId> TasksApi::transit(const Caller& caller, std::string_view id, const Transit& verb) {
  const auto task = known_task(pool_, caller.tenant, id);
  if (!task) return no_such_task(id);
  const auto done = write_to(pool_, [&](auto& connection) { return verb(connection, *task); });
  if (!done) return done.error();
  if (const auto ok = allowed(*done, id); !ok) return ok.error();
  return *task;
}

Result<Task> TasksApi::cancel(const Caller& caller, std::string_view id) {
  const auto done = transit(caller, id, [&](auto& connection, const TaskId& task) {
    return db::cancel_task(connection, caller.tenant, task, instance_);
  });
  if (!done) return done.error();
  return reread(caller.tenant, *done);
}

Result<Task> TasksApi::retry(const Caller& caller, std::string_view id, db::Rules rules) {
  const auto done = transit(caller, id, [&](auto& connection, const TaskId& task) {
    return db::retry_task(connection, caller.tenant, task, instance_, rules);
  });
  if (!done) return done.error();
  return reread(caller.tenant, *done);
}

Result<void> TasksApi::remove(const Caller& caller, std::string_view id, db::Rules rules) {
  const auto done = transit(caller, id, [&](auto& connection, const TaskId& task) {
    return db::delete_task(connection, caller.tenant, task, instance_, rules);
  });
  if (!done) return done.error();
  return {};
}

}  // namespace postern
