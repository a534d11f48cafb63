#include "fcgi/api/api.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "core/model/ids.h"
#include "core/program/log.h"
#include "db/schema/migrations.h"
#include "fcgi/api/task_lookup.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr char kDefaultTenant[] = "default";

std::optional<Role> role_from(std::string_view word) {
  if (word == "admin") return Role::admin;
  if (word == "worker") return Role::worker;
  if (word == "read") return Role::read;
  return std::nullopt;
}

bool allows(Role role, Access access) {
  switch (access) {
    case Access::open:
    case Access::read: return true;
    case Access::retry: return role == Role::worker || role == Role::admin;
    case Access::write: return role == Role::admin;
  }
  return false;
}

Error forbidden(std::string reason, std::string message) {
  return {Errc::forbidden, std::move(reason), "", std::move(message)};
}

// And nothing else: what is there already may be live, and could be delivered, changed or lost.
bool makes_tasks(const HttpRequest& request) {
  return request.method == "POST" &&
         (request.path == "/v1/tasks" || request.path == "/v1/tasks/batch" ||
          request.path == "/add-job");
}

const std::string& tenant_or_default(const std::string& tenant) {
  static const std::string fallback = kDefaultTenant;
  return tenant.empty() ? fallback : tenant;
}

}  // namespace

Api::Api(Options options, db::Pool& pool, Intake& intake)
    : options_(std::move(options)),
      pool_(pool),
      intake_(intake),
      waiters_(pool, options_.max_waiters),
      queues_api_(pool, options_.instance, options_.allow_create_default),
      endpoints_api_(pool, options_.instance),
      schedules_(pool, options_.instance),
      streams_(pool, options_.max_streams),
      lists_(options_.asyncjobs_lists),
      batches_(*this, pool, intake, options_.instance),
      bulk_(pool, options_.instance),
      changes_(pool),
      deferred_(pool, options_.instance),
      metrics_(pool) {}

std::size_t Api::max_body(const HttpRequest& request) const {
  constexpr std::size_t kBatch = 16 * 1024 * 1024;
  return request.path == "/v1/tasks/batch" ? std::max(kBatch, options_.max_body)
                                           : options_.max_body;
}

Result<Caller> Api::admit(const HttpRequest& request, Access access) const {
  if (access == Access::open) return Caller{};
  if (!options_.require_identity) return Caller{tenant_or_default(request.tenant), Role::admin};
  switch (request.verdict) {
    case Verdict::ok: break;
    case Verdict::absent:
    case Verdict::missing:
      return Error{Errc::unauthenticated, "credential_missing", "",
                   "This needs an API key: Authorization: Bearer KEY, or X-API-Key: KEY."};
    case Verdict::invalid:
      return Error{Errc::unauthenticated, "credential_invalid", "",
                   "The API key is unknown, revoked or expired."};
    case Verdict::forbidden:
      return forbidden("tenant_not_allowed", "This API key belongs to another tenant.");
    case Verdict::unavailable:
      return unavailable("authenticator_unavailable",
                         "The API key cannot be checked at the moment. Try again.");
  }
  // The authenticator has compared the two already; but nginx may ask another.
  if (!request.tenant.empty() && !request.key_tenant.empty() &&
      request.tenant != request.key_tenant) {
    return forbidden("tenant_not_allowed", "This API key belongs to another tenant.");
  }
  const auto role = role_from(request.role);
  if (!role || !allows(*role, access)) {
    return forbidden("role_not_allowed",
                     fmt::format("The role \"{}\" may not do this.", log_safe(request.role)));
  }
  const bool sandbox = request.sandbox == "1";
  if (sandbox && access != Access::read && !makes_tasks(request)) {
    return forbidden(
        "sandbox_not_allowed",
        "A sandbox key makes tasks, which are not delivered, and reads; it changes nothing.");
  }
  return Caller{tenant_or_default(request.key_tenant.empty() ? request.tenant : request.key_tenant),
                *role, sandbox};
}

Result<Task> Api::reread(const std::string& tenant, const TaskId& id) {
  auto task =
      read_from(pool_, [&](auto& connection) { return db::get_task(connection, tenant, id); });
  if (!task) return no_such_task(to_typeid(id));
  return std::move(*task);
}

Result<Task> Api::get(const Caller& caller, std::string_view id, Seconds wait) {
  const auto task_id = known_task(pool_, caller.tenant, id);
  if (!task_id) return no_such_task(id);
  Result<Task> task = reread(caller.tenant, *task_id);
  if (!task) return no_such_task(id);
  if (wait.count() == 0 || is_finished(task->state)) return task;
  waiters_.wait(*task, wait);
  return reread(caller.tenant, *task_id);
}

std::optional<Dialect> Api::dialect_of(const Caller& caller, std::string_view id) try {
  const Result<Task> task = get(caller, id, Seconds{0});
  if (!task) return std::nullopt;
  return task->spec.dialect;
} catch (const std::exception&) {
  return std::nullopt;
}

Result<db::Page> Api::list(const Caller& caller, const db::TaskFilter& filter) {
  return read_from(
      pool_, [&](auto& connection) { return db::list_tasks(connection, caller.tenant, filter); });
}

std::vector<Task> Api::first(const Caller& caller, const db::TaskFilter& filter) {
  return read_from(
      pool_, [&](auto& connection) { return db::next_tasks(connection, caller.tenant, filter); });
}

// Transitions are asked for once: when the connection breaks under way, nobody knows whether it was
// done.
Result<TaskId> Api::transit(const Caller& caller, std::string_view id, const Transit& verb) {
  const auto task = known_task(pool_, caller.tenant, id);
  if (!task) return no_such_task(id);
  const auto done = write_to(pool_, [&](auto& connection) { return verb(connection, *task); });
  if (!done) return done.error();
  if (const auto ok = allowed(*done, id); !ok) return ok.error();
  return *task;
}

Result<Task> Api::cancel(const Caller& caller, std::string_view id) {
  const auto done = transit(caller, id, [&](auto& connection, const TaskId& task) {
    return db::cancel_task(connection, caller.tenant, task, options_.instance);
  });
  if (!done) return done.error();
  return reread(caller.tenant, *done);
}

Result<Task> Api::retry(const Caller& caller, std::string_view id, db::Rules rules) {
  const auto done = transit(caller, id, [&](auto& connection, const TaskId& task) {
    return db::retry_task(connection, caller.tenant, task, options_.instance, rules);
  });
  if (!done) return done.error();
  return reread(caller.tenant, *done);
}

Result<void> Api::remove(const Caller& caller, std::string_view id, db::Rules rules) {
  const auto done = transit(caller, id, [&](auto& connection, const TaskId& task) {
    return db::delete_task(connection, caller.tenant, task, options_.instance, rules);
  });
  if (!done) return done.error();
  return {};
}

db::Totals Api::totals(const Caller& caller) {
  return read_from(pool_, [&](auto& connection) { return db::totals(connection, caller.tenant); });
}

Readiness Api::readiness() {
  Readiness ready{false, false, false};
  try {
    read_from(pool_, [&](auto& connection) {
      const std::array<TaskId, 1> nobody{};
      db::glance(connection, nobody);
      ready.tasks = intake_.connected();
      db::queue_defaults(connection, kDefaultTenant, kDefaultTenant);
      ready.config = !db::schema_misfit(connection);
      ready.scheduler = db::scheduler_alive(connection);
    });
  } catch (const std::exception& error) {
    log::debug("not ready error=\"{}\"", log_safe(error.what()));
  }
  return ready;
}

}  // namespace postern
