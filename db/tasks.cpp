#include "db/tasks.h"

#include <algorithm>
#include <map>

#include "db/rows.h"

namespace postern::db {
namespace {

// The columns of a new task, in the order insertion_arrays fills them. Lists travel as literals,
// because unnest would flatten arrays of arrays. A start is a time, or a delay from the database's
// now().
#define POSTERN_NEW_TASKS                                                                         \
  "unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], " \
  "$10::text[], $11::text[], $12::text[], $13::bytea[], $14::text[], $15::int2[], $16::int4[], "  \
  "$17::text[], $18::int4[], $19::timestamptz[], $20::text[], $21::text[], $22::text[], "         \
  "$23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::int8[], "                \
  "$29::timestamptz[]) AS n(id, lane, tenant, dialect, queue, endpoint, method, url, headers, "   \
  "body_form, body, content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, "   \
  "key, tags, dependencies, on_complete_url, on_failure_url, traceparent, extra, "                \
  "idempotency_key, delay_us, start)"

// One round trip, one commit: rows, counters, and a notification when something is ready. A
// notification holds at most 8,000 bytes; an empty one means "look yourself".
constexpr Statement kInsert{"insert_tasks", R"sql(
  WITH made AS (
    INSERT INTO postern.task (
      shard, id, lane, tenant, dialect, queue, endpoint, method, url, headers, body_form, body,
      content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, key, tags,
      dependencies, on_complete_url, on_failure_url, traceparent, extra, idempotency_key, run_at, state)
    SELECT $1, id, lane, tenant, dialect, queue, endpoint, method, url, headers, body_form, body,
           content_type, priority, max_attempts, retry_policy, timeout_ms, deadline, key,
           tags::text[], dependencies::uuid[], on_complete_url, on_failure_url, traceparent, extra,
           idempotency_key, coalesce(start, now() + delay_us * interval '1 microsecond'),
           CASE WHEN coalesce(start, now() + delay_us * interval '1 microsecond') > now()
                THEN 'delayed' ELSE 'ready' END
      FROM )sql" POSTERN_NEW_TASKS R"sql(
    RETURNING tenant, queue, lane, state),
  counted AS (
    INSERT INTO postern.counter AS c (shard, instance, tenant, queue, name, value)
    SELECT $1, $2, tenant, queue, 'created', count(*) FROM made GROUP BY tenant, queue
    ON CONFLICT (shard, instance, tenant, queue, name) DO UPDATE SET value = c.value + excluded.value)
  SELECT now(), (SELECT pg_notify('postern_ready',
                                  CASE WHEN count(DISTINCT lane) <= 300
                                       THEN string_agg(DISTINCT lane::text, ',') ELSE '' END)::text
                   FROM made WHERE state = 'ready' HAVING count(*) > 0))sql"};

Params insertion_params(int shard, const Uuid& instance, std::span<const Insertion> batch) {
  Array id(Oid::uuid), lane(Oid::int8), tenant(Oid::text), dialect(Oid::text), queue(Oid::text),
      endpoint(Oid::text), method(Oid::text), url(Oid::text), headers(Oid::text),
      body_form(Oid::text), body(Oid::bytea), content_type(Oid::text), priority(Oid::int2),
      max_attempts(Oid::int4), retry_policy(Oid::text), timeout(Oid::int4),
      deadline(Oid::timestamptz), key(Oid::text), tags(Oid::text), dependencies(Oid::text),
      on_complete(Oid::text), on_failure(Oid::text), traceparent(Oid::text), extra(Oid::text),
      idempotency_key(Oid::text), delay(Oid::int8), start(Oid::timestamptz);
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
    timeout.int4(static_cast<std::int32_t>(spec.timeout.count()));
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
  }
  Params params;
  params.int2(shard).uuid(instance);
  for (const auto* column :
       {&id,          &lane,         &tenant,      &dialect,      &queue,
        &endpoint,    &method,       &url,         &headers,      &body_form,
        &body,        &content_type, &priority,    &max_attempts, &retry_policy,
        &timeout,     &deadline,     &key,         &tags,         &dependencies,
        &on_complete, &on_failure,   &traceparent, &extra,        &idempotency_key,
        &delay,       &start}) {
    params.array(*column);
  }
  return params;
}

}  // namespace

Time insert_tasks(PgConnection& connection, int shard, const Uuid& instance,
                  std::span<const Insertion> batch) {
  return connection.exec(kInsert, insertion_params(shard, instance, batch)).time(0, 0);
}

namespace {

// Takes the keys that are free or expired. Sorted by the caller, so that two batches with the same
// keys cannot wait for each other in a circle.
constexpr Statement kTakeKeys{"take_keys", R"sql(
  INSERT INTO postern.idempotency_key AS k (shard, tenant, key, task, request_hash, expires_at)
  SELECT $1, tenant, key, task, hash, now() + $2 * interval '1 second'
    FROM unnest($3::text[], $4::text[], $5::uuid[], $6::bytea[]) AS n(tenant, key, task, hash)
  ON CONFLICT (shard, tenant, key) DO UPDATE
    SET task = excluded.task, request_hash = excluded.request_hash, expires_at = excluded.expires_at
    WHERE k.expires_at <= now()
  RETURNING tenant, key, now())sql"};

// Who has the others. A statement of its own, because the one that waited for a key cannot see its
// winner.
constexpr Statement kKeyHolders{"key_holders", R"sql(
  SELECT k.tenant, k.key, k.task, k.request_hash
    FROM unnest($2::text[], $3::text[]) AS n(tenant, key)
    JOIN postern.idempotency_key k ON k.shard = $1 AND k.tenant = n.tenant AND k.key = n.key)sql"};

using TenantKey = std::pair<std::string, std::string>;

}  // namespace

KeyedBatch insert_keyed_tasks(PgConnection& connection, int shard, const Uuid& instance,
                              std::span<const Insertion> batch, Seconds window) {
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
  const auto taken = connection.exec(kTakeKeys, Params()
                                                    .int2(shard)
                                                    .int8(window.count())
                                                    .array(tenants)
                                                    .array(keys)
                                                    .array(tasks)
                                                    .array(hashes));
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
    const auto others =
        connection.exec(kKeyHolders, Params().int2(shard).array(tenants).array(keys));
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
  out.now = ours.empty() ? Time{} : insert_tasks(connection, shard, instance, ours);
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

Task created_task(const NewTask& task, Time now) {
  Task out;
  out.spec = task.spec;
  out.created_at = out.updated_at = now;
  out.run_at = task.run_at.value_or(now + task.delay);
  out.state = out.run_at > now ? State::delayed : State::ready;
  return out;
}

namespace {

// A task's id says when it was made, so a finished one is not looked for in partitions older than
// that. A day covers any difference between the clocks of whoever makes ids.
Time not_finished_before(const TaskId& id) { return id.time() - std::chrono::days{1}; }

constexpr Statement kExisting{"existing_tasks", R"sql(
  SELECT id FROM postern.task WHERE shard = $1 AND id = ANY($2)
  UNION ALL
  SELECT id FROM postern.task_finished WHERE shard = $1 AND id = ANY($2) AND finished_at >= $3)sql"};

}  // namespace

std::unordered_set<std::string> existing_tasks(PgConnection& connection, int shard,
                                               std::span<const TaskId> ids) {
  std::unordered_set<std::string> out;
  if (ids.empty()) return out;
  Array array(Oid::uuid);
  for (const auto& id : ids) array.uuid(id);
  const auto since = not_finished_before(*std::min_element(ids.begin(), ids.end()));
  const auto rows = connection.exec(kExisting, Params().int2(shard).array(array).time(since));
  for (int i = 0; i < rows.rows(); ++i) out.insert(to_uuid(rows.uuid(i, 0)));
  return out;
}

constexpr Statement kGetLive{"get_live", "SELECT " POSTERN_TASK_COLUMNS("body") R"sql(
   FROM postern.task WHERE shard = $1 AND id = $2 AND tenant = $3)sql"};
constexpr Statement kGetFinished{"get_finished", "SELECT " POSTERN_TASK_COLUMNS("body") R"sql(
   FROM postern.task_finished WHERE shard = $1 AND id = $2 AND tenant = $3 AND finished_at >= $4)sql"};

std::optional<Task> get_task(PgConnection& connection, std::string_view tenant, const TaskId& id) {
  // A task that finishes between the two looks is found by the second; one that is retried between
  // them is found by the third.
  for (int look = 0; look < 2; ++look) {
    const auto live = connection.exec(kGetLive, Params().int2(id.shard()).uuid(id).text(tenant));
    if (live.rows() > 0) return task_from(live, 0);
    const auto over = connection.exec(
        kGetFinished,
        Params().int2(id.shard()).uuid(id).text(tenant).time(not_finished_before(id)));
    if (over.rows() > 0) return task_from(over, 0);
  }
  return std::nullopt;
}

constexpr Statement kGlance{"glance", R"sql(
  SELECT n.at, t.state, t.attempt
    FROM unnest($1::int4[], $2::int2[], $3::uuid[]) AS n(at, shard, id)
    JOIN postern.task t ON t.shard = n.shard AND t.id = n.id
  UNION ALL
  SELECT n.at, t.state, t.attempt
    FROM unnest($1::int4[], $2::int2[], $3::uuid[]) AS n(at, shard, id)
    JOIN postern.task_finished t ON t.shard = n.shard AND t.id = n.id AND t.finished_at >= $4)sql"};

std::vector<std::optional<Glance>> glance(PgConnection& connection, std::span<const TaskId> ids) {
  std::vector<std::optional<Glance>> out(ids.size());
  if (ids.empty()) return out;
  Array at(Oid::int4), shards(Oid::int2), uuids(Oid::uuid);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    at.int4(static_cast<std::int32_t>(i));
    shards.int2(static_cast<std::int16_t>(ids[i].shard()));
    uuids.uuid(ids[i]);
  }
  const auto since = not_finished_before(*std::min_element(ids.begin(), ids.end()));
  const auto rows =
      connection.exec(kGlance, Params().array(at).array(shards).array(uuids).time(since));
  for (int i = 0; i < rows.rows(); ++i) {
    out[static_cast<std::size_t>(rows.integer(i, 0))] =
        Glance{state_from(rows.text(i, 1)), static_cast<int>(rows.integer(i, 2))};
  }
  return out;
}

namespace {

// The definer functions answer 'done', the state that forbids it, or NULL.
constexpr Statement kCancel{"cancel_task", "SELECT postern.cancel_task($1, $2, $3, $4, $5)"};
constexpr Statement kDelete{"delete_task", "SELECT postern.delete_task($1, $2, $3, $4, $5)"};
constexpr Statement kRetry{"retry_task", "SELECT postern.retry_task($1, $2, $3, $4, $5)"};

Transition transition(PgConnection& connection, const Statement& statement, std::string_view tenant,
                      const TaskId& id, const Uuid& instance) {
  const auto row = connection.exec(
      statement,
      Params().text(tenant).int2(id.shard()).uuid(id).time(not_finished_before(id)).uuid(instance));
  if (row.is_null(0, 0)) return {Transition::Kind::missing, State::ready};
  if (row.text(0, 0) == "done") return {Transition::Kind::done, State::ready};
  return {Transition::Kind::wrong_state, state_from(row.text(0, 0))};
}

}  // namespace

Transition cancel_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                       const Uuid& instance) {
  return transition(connection, kCancel, tenant, id, instance);
}

Transition delete_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                       const Uuid& instance) {
  return transition(connection, kDelete, tenant, id, instance);
}

Transition retry_task(PgConnection& connection, std::string_view tenant, const TaskId& id,
                      const Uuid& instance) {
  return transition(connection, kRetry, tenant, id, instance);
}

}  // namespace postern::db
