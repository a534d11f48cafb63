#include "db/engine/housekeeping.h"

namespace postern::db {

const Statement kBeat{"beat", R"sql(
  WITH mine AS (
    INSERT INTO postern.instance AS i (id, program, name, version, gauges)
    VALUES ($1, 'postern-scheduler', $2, $3, $4::jsonb)
    ON CONFLICT (id) DO UPDATE SET beat = i.beat + 1, beat_at = now(), gauges = excluded.gauges)
  SELECT id, name, beat FROM postern.instance WHERE program = 'postern-scheduler')sql"};

Params beat_params(const Uuid& id, std::string_view name, std::string_view gauges_json) {
  Params params;
  params.uuid(id).text(name).text(POSTERN_VERSION).text(gauges_json);
  return params;
}

std::vector<Heartbeat> beats_from(const PgResult& result) {
  std::vector<Heartbeat> out;
  for (int i = 0; i < result.rows(); ++i) {
    out.push_back({result.uuid(i, 0), std::string(result.text(i, 1)), result.integer(i, 2)});
  }
  return out;
}

const Statement kLeave{"leave", "DELETE FROM postern.instance WHERE id = $1"};

Params leave_params(const Uuid& id) {
  Params params;
  params.uuid(id);
  return params;
}

const Statement kMakePartitions{
    "make_partitions",
    "SELECT postern.make_partitions('short', 3) + postern.make_partitions('standard', 3)"};

const Statement kDropPartition{
    "drop_partition", "SELECT postern.drop_partition($1, now() - $2 * interval '1 second')"};

Params drop_partition_params(std::string_view retention_class, Seconds keep) {
  Params params;
  params.text(retention_class).int8(keep.count());
  return params;
}

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

// A task never depends on its lane's row, so taking one away that is still wanted only means it is
// made again.
const Statement kCollectLanes{"collect_lanes", R"sql(
  DELETE FROM postern.lane l
   WHERE used_at < now() - interval '1 day'
     AND NOT EXISTS (SELECT FROM postern.task t WHERE t.lane = l.id AND t.state = 'ready'))sql"};

namespace {

constexpr Statement kBeatHandler{"beat_handler", R"sql(
  INSERT INTO postern.instance AS i (id, program, name, version) VALUES ($1, 'postern-fcgi', $2, $3)
  ON CONFLICT (id) DO UPDATE SET beat = i.beat + 1, beat_at = now())sql"};

}  // namespace

void beat_handler(PgConnection& connection, const Uuid& id, std::string_view name) {
  connection.exec(kBeatHandler, Params().uuid(id).text(name).text(POSTERN_VERSION));
}

}  // namespace postern::db
