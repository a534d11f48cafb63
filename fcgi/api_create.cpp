// Api::create and what belongs to it: what may be asked, what the queue adds, where the task goes.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "core/crypto.h"
#include "core/lane.h"
#include "core/log.h"
#include "core/retry_policy.h"
#include "core/url.h"
#include "core/validate.h"
#include "fcgi/api.h"
#include "fcgi/database.h"

namespace postern {
namespace {

constexpr std::chrono::seconds kQueueKnownFor{2};
// The caches are emptied when they get larger: a bound is all they need.
constexpr std::size_t kMaxCached = 10'000;

Time now() { return std::chrono::floor<Microseconds>(std::chrono::system_clock::now()); }

Result<void> check_times(const Creation& wanted, Time at) {
  const FieldNames& fields = *wanted.fields;
  if (const auto ok = check_delay(wanted.delay, fields.delay); !ok) return ok;
  if (wanted.run_at) {
    if (const auto ok = check_run_at(*wanted.run_at, at, fields.run_at); !ok) return ok;
  }
  if (!wanted.deadline) return {};
  if (*wanted.deadline <= at) {
    return invalid("deadline_past", std::string(fields.deadline), "The deadline is in the past.");
  }
  if (*wanted.deadline < wanted.run_at.value_or(at + Seconds{wanted.delay})) {
    return invalid("deadline_before_start", std::string(fields.deadline),
                   "The deadline is before the task's start, so it could never run.");
  }
  return {};
}

Result<void> check_tags(const std::vector<std::string>& tags, std::string_view field) {
  if (tags.size() > kMaxTags) {
    return invalid("tags_too_many", std::string(field), fmt::format("At most {} tags.", kMaxTags));
  }
  for (const auto& tag : tags) {
    if (const auto ok = check_tag(tag, field); !ok) return ok;
  }
  return {};
}

// Everything that can be told without the database.
Result<void> check(const Creation& wanted, const HttpRequest& request, Time at) {
  const FieldNames& fields = *wanted.fields;
  if (const auto ok = check_queue_name(wanted.queue, fields.queue); !ok) return ok;
  if (wanted.url.empty()) {
    return invalid("url_required", std::string(fields.url),
                   fmt::format("{} is required.", fields.url));
  }
  if (const auto ok = check_method(wanted.method, fields.method); !ok) return ok;
  if (const auto ok = check_headers(wanted.headers, fields.headers); !ok) return ok;
  if (!wanted.content_type.empty()) {
    if (const auto ok = check_content_type(wanted.content_type, fields.content_type); !ok)
      return ok;
  }
  if (wanted.max_retries) {
    if (const auto ok = check_max_retries(*wanted.max_retries, fields.max_retries); !ok) return ok;
  }
  if (wanted.timeout) {
    if (const auto ok = check_timeout(*wanted.timeout, fields.timeout); !ok) return ok;
  }
  if (const auto ok = check_times(wanted, at); !ok) return ok;
  if (const auto ok = check_tags(wanted.tags, fields.tags); !ok) return ok;
  if (!request.idempotency_key.empty()) return check_idempotency_key(request.idempotency_key);
  return {};
}

std::string_view view(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// A key's shard must be the same each time; without one, any will do.
TaskId new_id(Time at, int shards, std::string_view tenant, std::string_view key) {
  std::array<std::uint8_t, 10> random;
  random_bytes(random);
  std::size_t choice = static_cast<std::size_t>(random[8]) << 8 | random[9];
  if (!key.empty() && shards > 1) {
    const auto hash = sha256(fmt::format("{}\n{}", tenant, key));
    choice = static_cast<std::size_t>(hash[0]) << 8 | hash[1];
  }
  const int shard = static_cast<int>(choice % static_cast<std::size_t>(shards));
  return make_task_id(at, shard, std::span(random).first<8>());
}

}  // namespace

void Api::create(const Caller& caller, const HttpRequest& request, Creation wanted, Done done) {
  Result<NewTask> task = task_from(caller, request, std::move(wanted));
  if (!task) return done(task.error());
  const std::int64_t lane = lane_of(task->spec);
  intake_.submit(
      std::move(*task), lane,
      [this, tenant = caller.tenant, done = std::move(done)](Result<Intake::Taken> taken) {
        done(taken ? created(tenant, std::move(*taken)) : taken.error());
      });
}

Result<Created> Api::created(const std::string& tenant, Intake::Taken taken) {
  switch (taken.kind) {
    case Intake::Taken::Kind::created:
      return Created{db::created_task(std::move(taken.task), taken.at), false};
    case Intake::Taken::Kind::mismatched:
      return conflict("idempotency_key_reused",
                      "This Idempotency-Key was used before, for a request with another body.");
    case Intake::Taken::Kind::replayed: break;
  }
  try {
    Result<Task> first = reread(tenant, taken.holder);
    if (first) return Created{std::move(*first), true};
  } catch (const std::exception& fault) {
    if (is_database_fault(fault)) return database_away();
    spdlog::error("replay failed error=\"{}\"", log_safe(fault.what()));
    return Error{Errc::internal, "fault", "", "Something went wrong here. It has been logged."};
  }
  // It was deleted this very moment, and its key with it.
  return unavailable("idempotency_key_released",
                     "The task of this Idempotency-Key was just deleted. Try again.");
}

Result<NewTask> Api::task_from(const Caller& caller, const HttpRequest& request, Creation wanted) {
  const Time at = now();
  if (const auto ok = check(wanted, request, at); !ok) return ok.error();
  const Result<Url> url = parse_url(wanted.url, wanted.fields->url);
  if (!url) return url.error();
  std::optional<RetryPolicy> policy;
  if (wanted.retry_policy) {
    Result<RetryPolicy> parsed =
        RetryPolicy::parse(*wanted.retry_policy, wanted.fields->retry_policy);
    if (!parsed) return parsed.error();
    policy = std::move(*parsed);
  }
  const Result<db::QueueDefaults> queue =
      queue_defaults(caller.tenant, wanted.queue, wanted.fields->queue);
  if (!queue) return queue.error();

  NewTask task;
  task.delay = Seconds{wanted.delay};
  task.run_at = wanted.run_at;
  TaskSpec& spec = task.spec;
  spec.id = new_id(at, intake_.shards(), caller.tenant, request.idempotency_key);
  spec.tenant = caller.tenant;
  spec.dialect = wanted.dialect;
  spec.queue = std::move(wanted.queue);
  spec.method = std::move(wanted.method);
  spec.url = url->canonical();
  spec.headers = std::move(wanted.headers);
  spec.body_form = wanted.body_form;
  spec.body = std::move(wanted.body);
  spec.content_type = std::move(wanted.content_type);
  spec.priority = wanted.priority;
  spec.max_attempts = 1 + static_cast<int>(wanted.max_retries.value_or(queue->max_retries));
  if (queue->max_tries) spec.max_attempts = std::min(spec.max_attempts, *queue->max_tries);
  spec.retry_policy = policy ? policy->text() : queue->retry_policy;
  spec.timeout = wanted.timeout.value_or(queue->timeout);
  spec.deadline = wanted.deadline;
  spec.tags = std::move(wanted.tags);
  if (is_traceparent(request.traceparent)) spec.traceparent = request.traceparent;
  if (!request.idempotency_key.empty()) {
    spec.idempotency_key = request.idempotency_key;
    task.request_hash = view(sha256(request.body));
  }
  return task;
}

// From a cache, since every creation asks. A change to a queue takes so long to be seen. Whoever
// finds an entry too old renews it while the others still use it.
Result<db::QueueDefaults> Api::queue_defaults(const std::string& tenant, const std::string& queue,
                                              std::string_view field) {
  const std::string key = tenant + '\n' + queue;
  const auto clock = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = queues_.find(key); found != queues_.end()) {
      if (clock < found->second.good_until) return found->second.defaults;
      found->second.good_until = clock + kQueueKnownFor;
    }
  }
  bool no_tenant = false;
  const auto forget = [&] {
    const std::lock_guard lock(mutex_);
    queues_.erase(key);
  };
  std::optional<db::QueueDefaults> defaults;
  try {
    defaults = read_from(pool_, [&](auto& connection) {
      auto known = db::queue_defaults(connection, tenant, queue);
      if (known || !options_.auto_create_queues) return known;
      no_tenant = !db::make_queue(connection, tenant, queue);
      return db::queue_defaults(connection, tenant, queue);
    });
  } catch (...) {
    forget();
    throw;
  }
  if (!defaults) {
    forget();
    if (no_tenant)
      return not_found("tenant_not_found", fmt::format("There is no tenant \"{}\".", tenant));
    Error error = not_found("queue_not_found", fmt::format("There is no queue \"{}\".", queue));
    error.field = field;
    return error;
  }
  const std::lock_guard lock(mutex_);
  if (queues_.size() >= kMaxCached) queues_.clear();
  queues_.insert_or_assign(key, CachedQueue{*defaults, clock + kQueueKnownFor});
  return *std::move(defaults);
}

// The lane's row is for people and limits; no task depends on it, so that once made it is not
// looked for again.
std::int64_t Api::lane_of(const TaskSpec& task) {
  const std::string target = lane_target(task);
  const std::int64_t lane = lane_id(task.tenant, task.queue, target);
  {
    const std::lock_guard lock(mutex_);
    if (lanes_.contains(lane)) return lane;
  }
  read_from(pool_, [&](auto& connection) {
    db::make_lane(connection, lane, task.tenant, task.queue, target);
  });
  const std::lock_guard lock(mutex_);
  if (lanes_.size() >= kMaxCached) lanes_.clear();
  lanes_.insert(lane);
  return lane;
}

}  // namespace postern
