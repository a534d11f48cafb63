#include "db/engine/garbage.h"

namespace postern::db {

const Statement kExpireKeys{"expire_keys", R"sql(
  DELETE FROM postern.idempotency_key k
   USING (SELECT tenant, key FROM postern.idempotency_key WHERE expires_at < now()
           ORDER BY expires_at LIMIT 10000) old
   WHERE k.tenant = old.tenant AND k.key = old.key AND k.expires_at < now())sql"};

// The nil instance keeps what the departed counted. The rows are deleted and added in one
// statement, so a sum read at any time is right.
const Statement kFoldCounters{"fold_counters", R"sql(
  WITH gone AS (
    DELETE FROM postern.instance WHERE beat_at < now() - interval '1 day'),
  folded AS (
    DELETE FROM postern.counter c
     WHERE c.instance <> '00000000-0000-0000-0000-000000000000'
       AND NOT EXISTS (SELECT FROM postern.instance i WHERE i.id = c.instance)
    RETURNING *)
  INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
  SELECT '00000000-0000-0000-0000-000000000000', tenant, queue, name, sum(value)
    FROM folded GROUP BY tenant, queue, name
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)sql"};

const Statement kExpireEntries{"expire_entries", "SELECT postern.expire_entries($1, 500)"};

// An unreachable task keeps its edges, so that it comes back with what it waited for.
const Statement kForgetDependencies{"forget_dependencies", R"sql(
  DELETE FROM postern.dependency d
   WHERE postern.finished_since(d.task) < now() - interval '2 days'
     AND NOT EXISTS (SELECT FROM postern.task t WHERE t.id = d.task)
     AND NOT EXISTS (SELECT FROM postern.task_finished f WHERE f.id = d.task
                        AND f.finished_at >= postern.finished_since(d.task)))sql"};

}  // namespace postern::db
