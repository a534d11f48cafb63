#include "fcgi/api/creation.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/uuid.h"
#include "core/model/lane.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/program/clock.h"
#include "core/program/log.h"
#include "core/program/task_ids.h"
#include "db/catalog/endpoints.h"
#include "db/catalog/queue_defaults.h"
#include "db/tasks/tasks.h"
#include "fcgi/api/quotas.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr std::chrono::seconds kKnownFor{2};
// The caches are emptied when they get larger: a bound is all they need.
constexpr std::size_t kMaxCached = 10'000;

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// A sandbox's are apart from the live ones: no client's key holds a comma (check_idempotency_key).
std::string kept_key(const Caller& caller, const HttpRequest& request) {
  return caller.sandbox ? "sandbox," + request.idempotency_key : request.idempotency_key;
}

}  // namespace

void CreationApi::create(const Caller& caller, const HttpRequest& request, Creation wanted,
                         Done done) {
  const bool replays_refused = traits(wanted.dialect).replays_refused;
  Result<Ready> ready = prepare(caller, request, std::move(wanted));
  if (!ready && replays_refused) return done(replay_or(caller, request, ready.error()));
  if (!ready) return done(ready.error());
  intake_.submit(
      std::move(ready->task), ready->lane, ready->bounded,
      [this, tenant = caller.tenant, done = std::move(done)](Result<Intake::Taken> taken) {
        done(taken ? answer_of(tenant, std::move(*taken)) : taken.error());
      });
}

Result<Created> CreationApi::replay_or(const Caller& caller, const HttpRequest& request,
                                       Error refusal) {
  if (!check_idempotency_key(request.idempotency_key)) return refusal;
  const auto first = read_from(vital_, [&](auto& connection) -> std::optional<Task> {
    const auto id = db::task_of_key(connection, caller.tenant, kept_key(caller, request));
    return id ? db::get_task(connection, caller.tenant, *id) : std::nullopt;
  });
  if (!first) return refusal;
  return Created{*first, true};
}

Result<Created> CreationApi::answer_of(const std::string& tenant, Intake::Taken taken) {
  switch (taken.kind) {
    case Intake::Taken::Kind::created:
      return Created{db::created_task(std::move(taken.task), taken.at), false};
    case Intake::Taken::Kind::full:
      return conflict("queue_full", fmt::format("The queue \"{}\" holds as many tasks as it may.",
                                                taken.task.spec.queue));
    case Intake::Taken::Kind::mismatched:
    case Intake::Taken::Kind::replayed: break;
  }
  try {
    auto first = read_from(
        vital_, [&](auto& connection) { return db::get_task(connection, tenant, taken.holder); });
    // The bodies of two dialects cannot be compared.
    const Dialect dialect = taken.task.spec.dialect;
    if (first && taken.kind == Intake::Taken::Kind::mismatched && traits(dialect).compares_bodies &&
        dialect == first->spec.dialect) {
      return conflict("idempotency_key_reused",
                      "This Idempotency-Key was used before, for a request with another body.");
    }
    if (first) return Created{std::move(*first), true};
  } catch (const std::exception& fault) {
    if (is_database_fault(fault)) return told_of(fault);
    log::error("replay failed error=\"{}\"", log_safe(fault.what()));
    return Error{Errc::internal, "fault", "", "Something went wrong here. It has been logged."};
  }
  // It was deleted this very moment, and its key with it.
  return unavailable("idempotency_key_released",
                     "The task of this Idempotency-Key was just deleted. Try again.");
}

Result<CreationApi::Ready> CreationApi::prepare(const Caller& caller, const HttpRequest& request,
                                                Creation wanted) {
  const Time at = database_clock();
  if (const auto ok = set_default_queue(wanted); !ok) return ok.error();
  if (const auto ok = check_creation(wanted, at); !ok) return ok.error();
  if (caller.sandbox) {
    wanted.queue = kSandboxQueue;
  } else if (const auto ok = check_not_reserved(wanted.queue, wanted.fields->queue); !ok) {
    return ok.error();
  }
  if (!request.idempotency_key.empty()) {
    if (const auto ok = check_idempotency_key(request.idempotency_key); !ok) return ok.error();
  }
  const FieldNames& fields = *wanted.fields;
  if (traits(wanted.dialect).endpoint_must_exist && !wanted.endpoint.empty() &&
      !has_endpoint(caller.tenant, wanted.endpoint)) {
    Error error = not_found("endpoint_not_found",
                            fmt::format("There is no endpoint \"{}\".", wanted.endpoint));
    error.field = fields.endpoint;
    return error;
  }
  // Without a target it depends on its queue's; one that is not there has none, and is not made for
  // a task that is refused.
  const bool targeted = !wanted.url.empty() || !wanted.endpoint.empty();
  Result<QueueDefaults> queue =
      queue_defaults(caller.tenant, wanted.queue, fields.queue, targeted && may_make_queue(wanted));
  if (!queue && !targeted && queue.error().reason == "queue_not_found") queue = QueueDefaults{};
  if (!queue) return queue.error();

  Result<NewTask> task = new_task(std::move(wanted), *queue, caller.tenant, new_task_id());
  if (!task) return task.error();
  TaskSpec& spec = task->spec;
  if (is_traceparent(request.traceparent)) spec.traceparent = request.traceparent;
  if (!request.idempotency_key.empty()) {
    spec.idempotency_key = kept_key(caller, request);
    task->request_hash = view(sha256(request.body));
  }
  if (traits(spec.dialect).numbers_tasks) spec.job_id = next_job_id();
  const std::int64_t lane = lane_id(spec.tenant, spec.queue, lane_target(spec));
  if (const auto ok = quotas_.check_task(spec, lane, fields.queue,
                                         spec.endpoint.empty() ? fields.url : fields.endpoint);
      !ok) {
    return ok.error();
  }
  return Ready{std::move(*task), lane, queue->bounded};
}

// Drawn for many tasks at once: a round trip for each took longer than all the rest of its
// creation. Those that are left when the program ends are never used; nor are those that were drawn
// more than a second ago, since a tenant that has come from another cell meanwhile may have them
// already (see db/move).
std::int64_t CreationApi::next_job_id() {
  constexpr int kDrawn = 64;
  constexpr Seconds kFresh{1};
  std::unique_lock lock(mutex_);
  if (const auto now = std::chrono::steady_clock::now(); now > job_ids_until_) {
    job_ids_.clear();
    job_ids_until_ = now + kFresh;
  }
  if (job_ids_.empty()) {
    lock.unlock();
    const auto more =
        read_from(vital_, [](auto& connection) { return db::next_job_ids(connection, kDrawn); });
    lock.lock();
    job_ids_.insert(job_ids_.end(), more.begin(), more.end());
  }
  const std::int64_t id = job_ids_.front();
  job_ids_.pop_front();
  return id;
}

// Where a task that names no queue goes; on the wires that have no setting for it, it must name
// one.
Result<void> CreationApi::set_default_queue(Creation& wanted) const {
  const std::string_view setting = traits(wanted.dialect).queue_setting;
  if (setting.empty() || !wanted.queue.empty()) return {};
  wanted.queue = options_.default_queue;
  if (wanted.queue.empty() && options_.allow_create_default) wanted.queue = kDefaultQueue;
  if (!wanted.queue.empty()) return {};
  return not_found("queue_not_found",
                   fmt::format("The task names no queue, and the server has none for such: give "
                               "one, or set {}.",
                               setting));
}

bool CreationApi::may_make_queue(const Creation& wanted) const {
  if (wanted.queue == kSandboxQueue) return true;
  switch (traits(wanted.dialect).makes_queues) {
    case QueueMaking::by_setting: return options_.auto_create_queues;
    case QueueMaking::always: return true;
    case QueueMaking::default_only:
      return options_.allow_create_default && wanted.queue == kDefaultQueue;
  }
  return false;
}

bool CreationApi::has_endpoint(const std::string& tenant, const std::string& name) {
  const std::string key = tenant + '\n' + name;
  const auto clock = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    const auto found = endpoints_.find(key);
    if (found != endpoints_.end() && clock < found->second) return true;
  }
  const bool found = read_from(vital_, [&](auto& connection) {
    return db::resolve_endpoint(connection, tenant, name).has_value();
  });
  if (!found) return false;
  const std::lock_guard lock(mutex_);
  if (endpoints_.size() >= kMaxCached) endpoints_.clear();
  endpoints_.insert_or_assign(key, clock + kKnownFor);
  return true;
}

// From a cache, since every creation asks. A change to a queue takes so long to be seen. Whoever
// finds an entry too old renews it while the others still use it.
Result<QueueDefaults> CreationApi::queue_defaults(const std::string& tenant,
                                                  const std::string& queue, std::string_view field,
                                                  bool make) {
  const std::string key = tenant + '\n' + queue;
  const auto clock = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = queues_.find(key); found != queues_.end()) {
      if (clock < found->second.good_until) return found->second.defaults;
      found->second.good_until = clock + kKnownFor;
    }
  }
  bool no_tenant = false;
  Result<void> room;
  const auto forget = [&] {
    const std::lock_guard lock(mutex_);
    queues_.erase(key);
  };
  std::optional<QueueDefaults> defaults;
  try {
    defaults = read_from(
        vital_, [&](auto& connection) { return db::queue_defaults(connection, tenant, queue); });
    if (!defaults && make) {
      // Its commit is waited for, which no vital connection is lent for.
      defaults = read_from(rest_, [&](auto& connection) -> std::optional<QueueDefaults> {
        if (queue != kSandboxQueue) {
          room = quotas_.check(connection, db::Quota::queues, tenant, queue, field);
          if (!room) return std::nullopt;
        }
        no_tenant = !db::make_queue(connection, tenant, queue, queue == kSandboxQueue);
        return db::queue_defaults(connection, tenant, queue);
      });
    }
  } catch (...) {
    forget();
    throw;
  }
  if (!defaults) {
    forget();
    if (!room) return room.error();
    if (no_tenant)
      return not_found("tenant_not_found", fmt::format("There is no tenant \"{}\".", tenant));
    Error error = not_found("queue_not_found", fmt::format("There is no queue \"{}\".", queue));
    error.field = field;
    return error;
  }
  const std::lock_guard lock(mutex_);
  if (queues_.size() >= kMaxCached) queues_.clear();
  queues_.insert_or_assign(key, CachedQueue{*defaults, clock + kKnownFor});
  return *std::move(defaults);
}

}  // namespace postern
