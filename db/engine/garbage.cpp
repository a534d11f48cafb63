#include "db/engine/garbage.h"

namespace postern::db {

// A creation that takes an expired key again may wait for another of them: it is passed over.
const Statement kExpireKeys{"expire_keys", R"sql(
  DELETE FROM postern.idempotency_key k
   USING (SELECT ctid AS at FROM postern.idempotency_key
           WHERE expires_at < now() AND tenant <> ALL((SELECT postern.resting())::text[])
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED) old
   WHERE k.ctid = old.at AND k.expires_at < now())sql"};

Params expire_keys_params(int most) {
  Params params;
  params.int8(most);
  return params;
}

// The nil instance keeps what the departed counted. The rows are deleted and added in one
// statement, so a sum read at any time is right. A row that is being counted in is passed over:
// whoever does so may wait for another of them. One scheduler at a time adds up.
const Statement kFoldCounters{"fold_counters", R"sql(
  WITH gone AS (
    DELETE FROM postern.instance WHERE beat_at < now() - interval '1 day'),
  looked AS MATERIALIZED (
    SELECT tenant, queue, name, instance FROM postern.counter
     WHERE (tenant, queue, name, instance) > ($1, $2, $3, $4)
     ORDER BY tenant, queue, name, instance LIMIT $5),
  folded AS (
    DELETE FROM postern.counter c
     USING (SELECT o.at FROM (
              SELECT * FROM looked l
               WHERE l.instance <> '00000000-0000-0000-0000-000000000000'
                 AND NOT EXISTS (SELECT FROM postern.instance i WHERE i.id = l.instance)
                 AND pg_try_advisory_xact_lock(hashtextextended('postern.fold_counters', 0)) OFFSET 0) l
            CROSS JOIN LATERAL (
              SELECT o.ctid AS at FROM postern.counter o
               WHERE o.tenant = l.tenant AND o.queue = l.queue AND o.name = l.name AND o.instance = l.instance
                 FOR UPDATE SKIP LOCKED) o OFFSET 0) d
     WHERE c.ctid = d.at
    RETURNING c.*),
  added AS (
    INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
    SELECT '00000000-0000-0000-0000-000000000000', tenant, queue, name, sum(value)
      FROM folded GROUP BY tenant, queue, name
    ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)
  SELECT tenant, queue, name, instance FROM looked
   WHERE (SELECT count(*) FROM looked) = $5 ORDER BY tenant DESC, queue DESC, name DESC, instance DESC LIMIT 1)sql"};

Params fold_counters_params(const CounterPlace& from, int most) {
  Params params;
  params.text(from.tenant).text(from.queue).text(from.name).uuid(from.instance).int8(most);
  return params;
}

std::optional<CounterPlace> counters_behind(const PgResult& result) {
  if (result.rows() == 0) return std::nullopt;
  return CounterPlace{std::string(result.text(0, 0)), std::string(result.text(0, 1)),
                      std::string(result.text(0, 2)), result.uuid(0, 3)};
}

const Statement kExpireEntries{"expire_entries",
                               "SELECT ended, next_tenant, next_queue, next_id FROM "
                               "postern.expire_entries($1, 10 * $5, $5, $2, $3, $4)"};

Params expire_entries_params(const Uuid& instance, const EntryPlace& from, int most) {
  Params params;
  params.uuid(instance).text(from.tenant).text(from.queue).uuid(from.id).int4(most);
  return params;
}

ExpiredEntries expired_entries_from(const PgResult& result) {
  ExpiredEntries out{result.integer(0, 0), std::nullopt};
  if (!result.is_null(0, 1)) {
    out.behind = EntryPlace{std::string(result.text(0, 1)), std::string(result.text(0, 2)),
                            result.uuid(0, 3)};
  }
  return out;
}

const Statement kDiscardSurplus{"discard_surplus",
                                "SELECT discarded, next_tenant, next_queue FROM "
                                "postern.discard_surplus($1, 200, $2, $3, $4)"};

Params discard_surplus_params(const Uuid& instance, const QueuePlace& from, int most) {
  Params params;
  params.uuid(instance).int4(most).text(from.tenant).text(from.queue);
  return params;
}

DiscardedSurplus discarded_surplus_from(const PgResult& result) {
  DiscardedSurplus out{result.integer(0, 0), std::nullopt};
  if (!result.is_null(0, 1)) {
    out.behind = QueuePlace{std::string(result.text(0, 1)), std::string(result.text(0, 2))};
  }
  return out;
}

const Statement kForgetMoved{"forget_moved", R"sql(
  DELETE FROM postern.moved_task m
   USING (SELECT task FROM postern.moved_task WHERE until < now() ORDER BY until LIMIT $1) o WHERE m.task = o.task)sql"};

Params forget_moved_params(int most) {
  Params params;
  params.int8(most);
  return params;
}

// An unreachable task keeps its edges, so that it comes back with what it waited for.
const Statement kForgetDependencies{"forget_dependencies", R"sql(
  WITH looked AS MATERIALIZED (
    SELECT depends_on, task, ctid AS at FROM postern.dependency WHERE (depends_on, task) > ($1, $2)
     ORDER BY depends_on, task LIMIT $3),
  forgotten AS (
    DELETE FROM postern.dependency d
     USING (SELECT * FROM looked l
             WHERE postern.finished_since(l.task) < now() - interval '2 days'
               AND (SELECT t.id FROM postern.task t WHERE t.id = l.task) IS NULL
               AND NOT EXISTS (SELECT FROM postern.task_finished f WHERE f.id = l.task
                                  AND f.finished_at >= postern.finished_since(l.task)) OFFSET 0) o
     WHERE d.ctid = o.at AND d.depends_on = o.depends_on AND d.task = o.task)
  SELECT depends_on, task FROM looked
   WHERE (SELECT count(*) FROM looked) = $3 ORDER BY depends_on DESC, task DESC LIMIT 1)sql"};

Params forget_dependencies_params(const DependencyPlace& from, int most) {
  Params params;
  params.uuid(from.depends_on).uuid(from.task).int8(most);
  return params;
}

std::optional<DependencyPlace> dependencies_behind(const PgResult& result) {
  if (result.rows() == 0) return std::nullopt;
  return DependencyPlace{result.uuid(0, 0), result.uuid(0, 1)};
}

}  // namespace postern::db
