#include "fcgi/api/queues.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/model/retry_policy.h"
#include "core/model/validation.h"
#include "core/program/log.h"
#include "db/catalog/queues.h"
#include "fcgi/api/quotas.h"
#include "fcgi/api/step_size.h"
#include "fcgi/auth/caller.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

// Half of the time that nginx waits for an answer.
constexpr std::chrono::seconds kPurgeTime{20};

Error no_such_queue(std::string_view name) {
  return not_found("queue_not_found", fmt::format("There is no queue \"{}\".", log_safe(name)));
}

Error no_such_tenant(const Caller& caller) {
  return not_found("tenant_not_found",
                   fmt::format("There is no tenant \"{}\".", log_safe(caller.tenant)));
}

template <class T>
Result<T> found(std::optional<T> value, std::string_view name) {
  if (!value) return no_such_queue(name);
  return std::move(*value);
}

// Checks them and gives the retry policy the form that it is stored in.
Result<QueueSettings> checked(QueueSettings settings) {
  if (const auto ok = check_queue(settings); !ok) return ok.error();
  settings.retry_policy = RetryPolicy::parse(settings.retry_policy)->text();
  return settings;
}

Error default_disallowed() {
  return invalid("default_queue_disallowed", "name",
                 "A queue named DEFAULT is not made here unless the server's setting "
                 "allow_create_default says so.");
}

}  // namespace

Result<Queue> QueuesApi::create(const Caller& caller, std::string_view name,
                                QueueSettings settings) {
  if (const auto ok = check_queue_name(name, "name"); !ok) return ok.error();
  if (const auto ok = check_not_reserved(name, "name"); !ok) return ok.error();
  if (name == kDefaultQueue && !allow_default_) return default_disallowed();
  const auto wanted = checked(std::move(settings));
  if (!wanted) return wanted.error();
  if (const auto ok = quotas_.check(db::Quota::queues, caller.tenant, name, "name"); !ok) {
    return ok.error();
  }
  auto made = write_to(pool_, [&](auto& connection) {
    return db::create_queue(connection, caller.tenant, name, *wanted);
  });
  if (!made) return made.error();
  if (*made) return std::move(**made);
  if (!get(caller, name)) return no_such_tenant(caller);
  return Error{Errc::duplicate, "queue_already_exists", "name",
               fmt::format("There is a queue \"{}\" already.", name)};
}

Result<QueuesApi::Put> QueuesApi::put(const Caller& caller, std::string_view name,
                                      QueueSettings settings) {
  if (const auto ok = check_queue_name(name, "name"); !ok) return ok.error();
  if (const auto ok = check_not_reserved(name, "name"); !ok) return ok.error();
  if (name == kDefaultQueue && !allow_default_ && !get(caller, name)) return default_disallowed();
  const auto wanted = checked(std::move(settings));
  if (!wanted) return wanted.error();
  if (const auto ok = quotas_.check(db::Quota::queues, caller.tenant, name, "name"); !ok) {
    return ok.error();
  }
  auto done = write_to(pool_, [&](auto& connection) {
    return db::put_queue(connection, caller.tenant, name, *wanted);
  });
  if (!done) return done.error();
  if (!*done) return no_such_tenant(caller);
  return Put{std::move((*done)->queue), (*done)->made};
}

Result<Queue> QueuesApi::change(const Caller& caller, std::string_view name, const Edit& edit) {
  if (const auto ok = check_not_reserved(name, "name"); !ok) return ok.error();
  std::optional<Error> refused;
  auto done = write_to(pool_, [&](auto& connection) -> std::optional<Queue> {
    db::Transaction transaction(connection);
    auto queue = db::lock_queue(connection, caller.tenant, name);
    if (!queue) return std::nullopt;
    auto wanted = edit(std::move(queue->settings));
    if (wanted) wanted = checked(std::move(*wanted));
    if (!wanted) {
      refused = wanted.error();
      return std::nullopt;
    }
    auto changed = db::put_queue(connection, caller.tenant, name, *wanted);
    transaction.commit();
    return std::move(changed.value().queue);
  });
  if (!done) return done.error();
  if (refused) return *std::move(refused);
  return found(std::move(*done), name);
}

Result<Queue> QueuesApi::get(const Caller& caller, std::string_view name) {
  return found(
      read_from(pool_,
                [&](auto& connection) { return db::get_queue(connection, caller.tenant, name); }),
      name);
}

std::vector<Queue> QueuesApi::list(const Caller& caller) {
  return read_from(reads_,
                   [&](auto& connection) { return db::list_queues(connection, caller.tenant); });
}

Result<QueueStats> QueuesApi::stats(const Caller& caller, std::string_view name) {
  return found(
      read_from(reads_,
                [&](auto& connection) { return db::queue_stats(connection, caller.tenant, name); }),
      name);
}

Result<Queue> QueuesApi::pause(const Caller& caller, std::string_view name, bool paused) {
  if (const auto ok = check_not_reserved(name, "name"); !ok) return ok.error();
  auto done = write_to(pool_, [&](auto& connection) {
    return db::pause_queue(connection, caller.tenant, name, paused);
  });
  if (!done) return done.error();
  return found(std::move(*done), name);
}

// Step by step, so that no transaction is long and claims of the same rows do not wait.
Result<void> QueuesApi::cancel_tasks(const Caller& caller, std::string_view name, Time before,
                                     Reason reason) {
  const auto until = std::chrono::steady_clock::now() + kPurgeTime;
  StepSize size(db::kPurgeStep);
  for (;;) {
    int asked = 0;
    const auto ended = size.run(until, [&](int most) {
      asked = most;
      return write_to(pool_, [&](auto& connection) {
        return db::purge_queue(connection, caller.tenant, name, before, reason, instance_, most);
      });
    });
    if (!ended) return ended.error();
    if (*ended < asked) return {};
    if (std::chrono::steady_clock::now() > until) {
      return unavailable("purge_incomplete",
                         "There are more tasks than one call cancels. Call again for the rest.");
    }
  }
}

Result<void> QueuesApi::purge(const Caller& caller, std::string_view name) {
  const auto queue = get(caller, name);
  if (!queue) return queue.error();
  return cancel_tasks(caller, name, queue->read_at, Reason::queue_purged);
}

Result<void> QueuesApi::remove(const Caller& caller, std::string_view name, bool force) {
  if (const auto ok = check_not_reserved(name, "name"); !ok) return ok;
  if (force) {
    // Its limits hold until the last of its tasks is cancelled; none begins in the meantime.
    const auto queue = pause(caller, name, true);
    if (!queue) return queue.error();
    if (const auto ok = cancel_tasks(caller, name, queue->read_at, Reason::queue_deleted); !ok) {
      return ok;
    }
  }
  const auto gone = write_to(pool_, [&](auto& connection) {
    return force ? db::delete_queue(connection, caller.tenant, name)
                 : db::delete_empty_queue(connection, caller.tenant, name);
  });
  if (!gone) return gone.error();
  if (*gone) return {};
  if (const auto queue = get(caller, name); !queue) return queue.error();
  return conflict("queue_not_empty",
                  fmt::format("The queue \"{}\" has live tasks. ?force=true cancels them.", name));
}

}  // namespace postern
