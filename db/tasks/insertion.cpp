#include "db/tasks/insertion.h"
#include "core/base/headers_json.h"

#include <map>

#include "db/tasks/rows.h"
#include "db/tasks/tasks.h"

namespace postern::db {

Params insertion_params(const Uuid& instance, std::span<const Insertion> batch) {
  Array id(Oid::uuid), lane(Oid::int8), tenant(Oid::text), dialect(Oid::text), queue(Oid::text),
      endpoint(Oid::text), method(Oid::text), url(Oid::text), headers(Oid::text),
      body_form(Oid::text), body(Oid::bytea), content_type(Oid::text), priority(Oid::int2),
      max_attempts(Oid::int4), retry_policy(Oid::text), timeout(Oid::int4),
      deadline(Oid::timestamptz), key(Oid::text), tags(Oid::text), dependencies(Oid::text),
      on_complete(Oid::text), on_failure(Oid::text), traceparent(Oid::text), extra(Oid::text),
      idempotency_key(Oid::text), delay(Oid::int8), start(Oid::timestamptz), job_id(Oid::int8),
      repeat(Oid::int8), hold(Oid::int8), load_results(Oid::boolean);
  for (const auto& [task, lane_id] : batch) {
    const auto& spec = task->spec;
    id.uuid(spec.id);
    lane.int8(lane_id);
    tenant.text(spec.tenant);
    dialect.text(name(spec.dialect));
    queue.text(spec.queue);
    endpoint.text_or_null(spec.endpoint);
    method.text(spec.method);
    url.text_or_null(spec.url);
    headers.text_or_null(headers_json(spec.headers));
    body_form.text(name(spec.body_form));
    spec.body ? body.text(*spec.body) : body.null();
    content_type.text_or_null(spec.content_type);
    priority.int2(static_cast<std::int16_t>(spec.priority));
    max_attempts.int4(spec.max_attempts);
    retry_policy.text(spec.retry_policy);
    spec.timeout.count() > 0 ? timeout.int4(static_cast<std::int32_t>(spec.timeout.count()))
                             : timeout.null();
    spec.deadline ? deadline.time(*spec.deadline) : deadline.null();
    key.text_or_null(spec.key);
    tags.text_or_null(spec.tags.empty() ? "" : text_array_literal(spec.tags));
    dependencies.text_or_null(spec.dependencies.empty() ? ""
                                                        : uuid_array_literal(spec.dependencies));
    on_complete.text_or_null(spec.on_complete_url);
    on_failure.text_or_null(spec.on_failure_url);
    traceparent.text_or_null(spec.traceparent);
    extra.text_or_null(spec.extra);
    idempotency_key.text_or_null(spec.idempotency_key);
    delay.int8(task->delay.count());
    task->run_at ? start.time(*task->run_at) : start.null();
    spec.job_id ? job_id.int8(*spec.job_id) : job_id.null();
    spec.repeat.count() > 0 ? repeat.int8(spec.repeat.count()) : repeat.null();
    spec.hold.count() > 0 ? hold.int8(spec.hold.count()) : hold.null();
    load_results.boolean(spec.load_results);
  }
  Params params;
  params.uuid(instance);
  for (const auto* column :
       {&id,          &lane,         &tenant,      &dialect,      &queue,
        &endpoint,    &method,       &url,         &headers,      &body_form,
        &body,        &content_type, &priority,    &max_attempts, &retry_policy,
        &timeout,     &deadline,     &key,         &tags,         &dependencies,
        &on_complete, &on_failure,   &traceparent, &extra,        &idempotency_key,
        &delay,       &start,        &job_id,      &repeat,       &hold,
        &load_results}) {
    params.array(*column);
  }
  return params;
}

namespace {

// One round trip, one commit.
constexpr Statement kInsert{"insert_tasks", "WITH " POSTERN_INSERTED("true") R"sql(
  SELECT now(), )sql" POSTERN_TOLD};

}  // namespace

Time insert_tasks(PgConnection& connection, const Uuid& instance,
                  std::span<const Insertion> batch) {
  return connection.exec(kInsert, insertion_params(instance, batch)).time(0, 0);
}

namespace {

constexpr Statement kMakeRoom{"make_room", "SELECT postern.make_room($1, $2, $3, $4)"};

// For how many of `wanted` there is room in the queue of `task`, which stays ours until the
// transaction ends.
std::size_t make_room(PgConnection& connection, const TaskSpec& task, std::size_t wanted,
                      const Uuid& instance) {
  const auto row = connection.exec(kMakeRoom, Params()
                                                  .text(task.tenant)
                                                  .text(task.queue)
                                                  .int4(static_cast<std::int32_t>(wanted))
                                                  .uuid(instance));
  return static_cast<std::size_t>(row.integer(0, 0));
}

}  // namespace

BoundedBatch insert_bounded_tasks(PgConnection& connection, const Uuid& instance,
                                  std::span<const Insertion> batch) {
  Transaction transaction(connection);
  BoundedBatch out;
  out.inserted = make_room(connection, batch.front().task->spec, batch.size(), instance);
  if (out.inserted > 0) {
    out.now = insert_tasks(connection, instance, batch.first(out.inserted));
  }
  transaction.commit();
  return out;
}

WholeBatch insert_whole_batch(PgConnection& connection, const Uuid& instance,
                              std::span<const Insertion> batch,
                              std::span<const std::size_t> bounded) {
  // The places of each queue that has a bound, sorted by queue, so that two batches cannot wait for
  // each other's room in a circle.
  std::map<std::string_view, std::vector<std::size_t>> queues;
  for (const std::size_t at : bounded) queues[batch[at].task->spec.queue].push_back(at);

  Transaction transaction(connection);
  for (const auto& [queue, places] : queues) {
    const auto& first = batch[places.front()].task->spec;
    const std::size_t room = make_room(connection, first, places.size(), instance);
    if (room < places.size()) return {{}, places[room]};
  }
  const Time now = insert_tasks(connection, instance, batch);
  transaction.commit();
  return {now, std::nullopt};
}

namespace {

// Takes the keys that are free or expired. Sorted by the caller, so that two batches with the same
// keys cannot wait for each other in a circle.
constexpr Statement kTakeKeys{"take_keys", R"sql(
  INSERT INTO postern.idempotency_key AS k (tenant, key, task, request_hash, expires_at)
  SELECT tenant, key, task, hash, now() + $1 * interval '1 second'
    FROM unnest($2::text[], $3::text[], $4::uuid[], $5::bytea[]) AS n(tenant, key, task, hash)
  ON CONFLICT (tenant, key) DO UPDATE
    SET task = excluded.task, request_hash = excluded.request_hash, expires_at = excluded.expires_at
    WHERE k.expires_at <= now()
  RETURNING tenant, key, now())sql"};

// Who has the others. A statement of its own, because the one that waited for a key cannot see its
// winner.
constexpr Statement kKeyHolders{"key_holders", R"sql(
  SELECT k.tenant, k.key, k.task, k.request_hash
    FROM unnest($1::text[], $2::text[]) AS n(tenant, key)
    JOIN postern.idempotency_key k ON k.tenant = n.tenant AND k.key = n.key)sql"};

using TenantKey = std::pair<std::string, std::string>;

}  // namespace

KeyedBatch insert_keyed_tasks(PgConnection& connection, const Uuid& instance,
                              std::span<const Insertion> batch, Seconds window, bool bounded) {
  // The first task of each key, sorted by key.
  std::map<TenantKey, std::size_t> first;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& spec = batch[i].task->spec;
    first.emplace(TenantKey{spec.tenant, spec.idempotency_key}, i);
  }
  Array tenants(Oid::text), keys(Oid::text), tasks(Oid::uuid), hashes(Oid::bytea);
  for (const auto& [tenant_key, index] : first) {
    tenants.text(tenant_key.first);
    keys.text(tenant_key.second);
    tasks.uuid(batch[index].task->spec.id);
    hashes.text(batch[index].task->request_hash);
  }

  Transaction transaction(connection);
  const auto taken = connection.exec(
      kTakeKeys,
      Params().int8(window.count()).array(tenants).array(keys).array(tasks).array(hashes));
  struct Holder {
    TaskId task;
    std::string hash;
    bool ours;
  };
  std::map<TenantKey, Holder> holders;
  std::vector<Insertion> ours;
  for (int i = 0; i < taken.rows(); ++i) {
    TenantKey tenant_key{taken.text(i, 0), taken.text(i, 1)};
    const auto& insertion = batch[first.at(tenant_key)];
    ours.push_back(insertion);
    holders.emplace(std::move(tenant_key),
                    Holder{insertion.task->spec.id, insertion.task->request_hash, true});
  }
  if (holders.size() < first.size()) {
    const auto others = connection.exec(kKeyHolders, Params().array(tenants).array(keys));
    for (int i = 0; i < others.rows(); ++i) {
      holders.emplace(TenantKey{others.text(i, 0), others.text(i, 1)},
                      Holder{others.uuid(i, 2), std::string(others.text(i, 3)), false});
    }
  }
  if (holders.size() < first.size()) {
    // A key's holder went away between two statements: as good as a lost race. Before the commit,
    // so that whoever tries again finds nothing of this try.
    throw PgError("an idempotency key was released meanwhile", "40001", false);
  }
  KeyedBatch out;
  if (bounded && !ours.empty() &&
      make_room(connection, ours.front().task->spec, ours.size(), instance) < ours.size()) {
    out.results.push_back({KeyedResult::Kind::full, ours.front().task->spec.id});
    return out;  // rolled back, so that the key is free again
  }
  out.now = ours.empty() ? Time{} : insert_tasks(connection, instance, ours);
  transaction.commit();

  for (const auto& [task, lane] : batch) {
    const auto& [id, hash, is_ours] = holders.at({task->spec.tenant, task->spec.idempotency_key});
    if (is_ours && id == task->spec.id) {
      out.results.push_back({KeyedResult::Kind::created, id});
    } else if (hash == task->request_hash) {
      out.results.push_back({KeyedResult::Kind::replayed, id});
    } else {
      out.results.push_back({KeyedResult::Kind::mismatched, id});
    }
  }
  return out;
}

}  // namespace postern::db
