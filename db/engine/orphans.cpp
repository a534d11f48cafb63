#include "db/engine/orphans.h"

#include "db/tasks/columns.h"

namespace postern::db {

// Whoever has beaten before this statement lives: what it has claimed since is not lost, whatever
// was seen before. By ranges of the primary key, since an index of what belongs to an instance
// would be paid for by each claim and settlement. Deferred leases, which may be many and wait long,
// have an index of their own by the time when they run out. Whoever settles locks leases in their
// order; what is forgotten here is in another, so what is locked is left to the next look.
const BuiltStatement kOrphans{"orphans", R"sql(
  WITH dead AS MATERIALIZED (
    SELECT d.id FROM unnest($1, $2) AS d(id, beat) JOIN postern.instance i ON i.id = d.id AND i.beat = d.beat),
  looked AS MATERIALIZED (
    SELECT task, instance, until, deferred, tenant FROM postern.lease WHERE task > $3 ORDER BY task LIMIT 2000),
  walked AS MATERIALIZED (
    SELECT * FROM (
      SELECT l.task, l.instance, l.until,
             l.instance = ANY(ARRAY(SELECT id FROM dead)) OR l.instance IS NULL
               OR NOT EXISTS (SELECT FROM postern.instance i WHERE i.id = l.instance) AS gone
        FROM looked l WHERE NOT l.deferred AND l.tenant <> ALL((SELECT postern.resting())::text[]) OFFSET 0) l
     WHERE gone OR until < now() ORDER BY task LIMIT 500),
  found AS MATERIALIZED (
    SELECT * FROM walked
     UNION ALL
    (SELECT l.task, l.instance, l.until, true FROM postern.lease l
      WHERE l.deferred AND l.until < now() AND l.tenant <> ALL((SELECT postern.resting())::text[])
      ORDER BY l.until LIMIT 500)),
  forgotten AS (
    DELETE FROM postern.lease WHERE task = ANY(ARRAY(
      SELECT l.task FROM (
        SELECT f.task FROM found f
         WHERE f.until < now() AND (SELECT t.id FROM postern.task t WHERE t.id = f.task) IS NULL OFFSET 0) f
       CROSS JOIN LATERAL (
         SELECT task FROM postern.lease WHERE task = f.task AND until < now() FOR UPDATE SKIP LOCKED) l))),
  next AS (
    SELECT CASE WHEN (SELECT count(*) FROM walked) = 500 THEN (SELECT task FROM walked ORDER BY task DESC LIMIT 1)
                WHEN (SELECT count(*) FROM looked) = 2000 THEN (SELECT task FROM looked ORDER BY task DESC LIMIT 1)
            END AS next)
  SELECT next.next, o.*
    FROM next LEFT JOIN (
      SELECT )sql" + spec_columns(Body::left_out) +
                                             R"sql(,
             lease, lane, attempt, attempt_base, run_at, claimed_at, until, deadline < now() AS past_deadline, instance,
             gone, deferred
        FROM found f CROSS JOIN LATERAL (
          SELECT * FROM postern.task_live t WHERE t.id = f.task AND t.state = 'active' OFFSET 0) active) o ON true)sql"};

Params orphans_params(std::span<const SilentInstance> dead, const TaskId& from) {
  Array ids(Oid::uuid), beats(Oid::int8);
  for (const auto& each : dead) {
    ids.uuid(each.id);
    beats.int8(each.beat);
  }
  Params params;
  params.array(ids).array(beats).uuid(from);
  return params;
}

namespace {

constexpr Column<Orphan> kOrphanColumns[] = {
    {"lease", [](Orphan& orphan, const Value& value) { orphan.task.lease = value.uuid(); }},
    {"lane", [](Orphan& orphan,
                const Value& value) { orphan.task.lane = value.integer_or_null().value_or(0); }},
    {"attempt", [](Orphan& orphan, const Value& value) { orphan.task.attempt = value.int4(); }},
    {"attempt_base",
     [](Orphan& orphan, const Value& value) { orphan.task.attempt_base = value.int4(); }},
    {"run_at", [](Orphan& orphan, const Value& value) { orphan.task.run_at = value.time(); }},
    {"claimed_at",
     [](Orphan& orphan, const Value& value) { orphan.task.claimed_at = value.time(); }},
    {"until", [](Orphan& orphan, const Value& value) { orphan.task.lease_until = value.time(); }},
    {"past_deadline",
     [](Orphan& orphan, const Value& value) {
       orphan.task.past_deadline = !value.is_null() && value.boolean();
     }},
    {"instance",
     [](Orphan& orphan, const Value& value) {
       if (!value.is_null()) orphan.instance = value.uuid();
     }},
    {"gone", [](Orphan& orphan, const Value& value) { orphan.instance_gone = value.boolean(); }},
    {"deferred",
     [](Orphan& orphan, const Value& value) { orphan.task.deferred = value.boolean(); }},
};

}  // namespace

Orphans orphans_from(const PgResult& result) {
  Orphans out;
  const SpecReader read_spec(result);
  const RowReader<Orphan> read_orphan(result, kOrphanColumns);
  const int next = result.column("next"), id = result.column("id");
  if (!result.is_null(0, next)) out.next = result.uuid(0, next);
  for (int i = 0; i < result.rows(); ++i) {
    if (result.is_null(i, id)) continue;  // there is none, but a row all the same
    Orphan& orphan = out.tasks.emplace_back();
    Claimed& task = orphan.task;
    task.unreadable = read_spec.read_what_can_be(i, task.spec);
    const std::string rest = read_orphan.read_what_can_be(i, orphan);
    if (task.unreadable.empty()) task.unreadable = rest;
  }
  return out;
}

}  // namespace postern::db
