#include "db/tasks/insertion.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "db/tasks/tasks.h"

namespace postern::db {

std::string insertion_sql(std::string_view where, int first) {
  return fmt::format(R"sql(
  given AS MATERIALIZED (
    SELECT n.*, coalesce(start, now() + delay_us * interval '1 microsecond') AS run_at
      FROM unnest({}) AS n({})
     WHERE {}),
  made AS (
    INSERT INTO postern.task ({})
    SELECT {}
      FROM given
    RETURNING id, tenant, queue, key, lane, state, dependencies),
  edges AS (
    INSERT INTO postern.dependency (task, depends_on)
    SELECT DISTINCT id, unnest(dependencies) FROM made WHERE dependencies IS NOT NULL),
  waiting AS (
    INSERT INTO postern.sequel (task, tenant, queue, key)
    SELECT id, tenant, queue, key FROM made WHERE state = 'blocked'),
  counted AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT $1, tenant, queue, 'created', count(*) FROM made GROUP BY tenant, queue ORDER BY tenant, queue
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value))sql",
                     sent_arrays(first, Columns::all), sent_columns(Columns::all), where,
                     inserted_columns(Columns::all), inserted_values(Columns::all));
}

const char kTellSchedulers[] = R"sql((
  SELECT pg_notify('postern_ready',
                   CASE WHEN count(DISTINCT lane) <= 300 AND NOT bool_or(state = 'blocked')
                        THEN string_agg(DISTINCT lane::text, ',') ELSE '' END)::text
    FROM made WHERE state <> 'delayed' HAVING count(*) > 0))sql";

namespace {

// One round trip, one commit.
const BuiltStatement kInsert{"insert_tasks", "WITH " + insertion_sql("true", 2) +
                                                 " SELECT now() AS now, " + kTellSchedulers};

// The same for tasks that wait for nothing, with all that can be known before: what there is to
// count and whom to tell. It takes the server a third less time.
const BuiltStatement kInsertCommon{
    "insert_common_tasks",
    fmt::format(R"sql(
  WITH made AS (
    INSERT INTO postern.task ({})
    SELECT {}
      FROM (SELECT n.*, NULL::text AS key, NULL::text AS dependencies,
                   coalesce(start, now() + delay_us * interval '1 microsecond') AS run_at
              FROM unnest({}) AS n({})) given),
  counted AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT $1, tenant, queue, 'created', made FROM unnest($2::text[], $3::text[], $4::int8[]) AS n(tenant, queue, made)
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)
  SELECT now() AS now, CASE WHEN $5::text IS NOT NULL THEN pg_notify('postern_ready', $5)::text END)sql",
                inserted_columns(Columns::common), inserted_values(Columns::common),
                sent_arrays(6, Columns::common), sent_columns(Columns::common))};

// As kTellSchedulers: the lanes of those that may be ready; nullopt when all are surely delayed.
std::optional<std::string> lanes_to_tell(std::span<const Insertion> batch) {
  constexpr std::size_t kMaxLanes = 300;
  std::set<std::int64_t> lanes;
  for (const auto& [task, lane] : batch) {
    if (task->run_at || task->delay <= Microseconds{0}) lanes.insert(lane);
  }
  if (lanes.empty()) return std::nullopt;
  return lanes.size() <= kMaxLanes ? fmt::format("{}", fmt::join(lanes, ",")) : "";
}

Params common_params(const Uuid& instance, std::span<const Insertion> batch) {
  std::map<std::pair<std::string_view, std::string_view>, std::int64_t> made;
  for (const auto& insertion : batch) {
    const TaskSpec& spec = insertion.task->spec;
    ++made[{spec.tenant, spec.queue}];
  }
  Array tenants(Oid::text), queues(Oid::text), counts(Oid::int8);
  for (const auto& [queue, count] : made) {
    tenants.text(queue.first);
    queues.text(queue.second);
    counts.int8(count);
  }
  Params params;
  params.uuid(instance).array(tenants).array(queues).array(counts);
  const auto lanes = lanes_to_tell(batch);
  lanes ? params.text(*lanes) : params.null(Oid::text);
  return params;
}

}  // namespace

Time insert_tasks(PgConnection& connection, const Uuid& instance,
                  std::span<const Insertion> batch) {
  const Columns columns = columns_for(batch);
  const bool common = columns == Columns::common;
  Params params = common ? common_params(instance, batch) : std::move(Params().uuid(instance));
  add_batch(params, batch, columns);
  const auto row = connection.exec(common ? kInsertCommon : kInsert, params);
  return row.time(0, row.column("now"));
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
  RETURNING tenant, key)sql"};

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
  const int taken_tenant = taken.column("tenant"), taken_key = taken.column("key");
  for (int i = 0; i < taken.rows(); ++i) {
    TenantKey tenant_key{taken.text(i, taken_tenant), taken.text(i, taken_key)};
    const auto& insertion = batch[first.at(tenant_key)];
    ours.push_back(insertion);
    holders.emplace(std::move(tenant_key),
                    Holder{insertion.task->spec.id, insertion.task->request_hash, true});
  }
  if (holders.size() < first.size()) {
    const auto others = connection.exec(kKeyHolders, Params().array(tenants).array(keys));
    const int tenant = others.column("tenant"), key = others.column("key"),
              task = others.column("task"), hash = others.column("request_hash");
    for (int i = 0; i < others.rows(); ++i) {
      holders.emplace(TenantKey{others.text(i, tenant), others.text(i, key)},
                      Holder{others.uuid(i, task), std::string(others.text(i, hash)), false});
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
