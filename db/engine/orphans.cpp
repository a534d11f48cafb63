#include "db/engine/orphans.h"

#include "db/tasks/columns.h"

namespace postern::db {

// Of the deferred leases, which may be many and wait long, those that have expired are read; of the
// others all.
const BuiltStatement kOrphans{"orphans", "SELECT " + spec_columns(Body::left_out) + R"sql(,
         lease, lane, attempt, attempt_base, run_at, claimed_at, until, deadline < now() AS past_deadline, instance,
         gone, deferred
    FROM (
      SELECT l.task, l.instance, l.until,
             l.instance = ANY($1) OR l.instance IS NULL
               OR NOT EXISTS (SELECT FROM postern.instance i WHERE i.id = l.instance) AS gone
        FROM postern.lease l WHERE NOT l.deferred
       UNION ALL
      (SELECT l.task, l.instance, l.until, true FROM postern.lease l
        WHERE l.deferred AND l.until < now() ORDER BY l.until LIMIT 500)) e
    CROSS JOIN LATERAL (SELECT * FROM postern.task_live t WHERE t.id = e.task AND t.state = 'active') active
   WHERE gone OR until < now()
   ORDER BY gone DESC, until LIMIT 500)sql"};

Params orphans_params(std::span<const Uuid> dead) {
  Array ids(Oid::uuid);
  for (const auto& id : dead) ids.uuid(id);
  Params params;
  params.array(ids);
  return params;
}

namespace {

constexpr Column<Orphan> kOrphanColumns[] = {
    {"lease", [](Orphan& orphan, const Cell& cell) { orphan.task.lease = cell.uuid(); }},
    {"lane", [](Orphan& orphan,
                const Cell& cell) { orphan.task.lane = cell.integer_or_null().value_or(0); }},
    {"attempt", [](Orphan& orphan, const Cell& cell) { orphan.task.attempt = cell.int4(); }},
    {"attempt_base",
     [](Orphan& orphan, const Cell& cell) { orphan.task.attempt_base = cell.int4(); }},
    {"run_at", [](Orphan& orphan, const Cell& cell) { orphan.task.run_at = cell.time(); }},
    {"claimed_at", [](Orphan& orphan, const Cell& cell) { orphan.task.claimed_at = cell.time(); }},
    {"until", [](Orphan& orphan, const Cell& cell) { orphan.task.lease_until = cell.time(); }},
    {"past_deadline",
     [](Orphan& orphan, const Cell& cell) {
       orphan.task.past_deadline = !cell.is_null() && cell.boolean();
     }},
    {"instance",
     [](Orphan& orphan, const Cell& cell) {
       if (!cell.is_null()) orphan.instance = cell.uuid();
     }},
    {"gone", [](Orphan& orphan, const Cell& cell) { orphan.instance_gone = cell.boolean(); }},
    {"deferred", [](Orphan& orphan, const Cell& cell) { orphan.task.deferred = cell.boolean(); }},
};

}  // namespace

std::vector<Orphan> orphans_from(const PgResult& result) {
  const SpecReader read_spec(result);
  auto orphans = RowReader<Orphan>(result, kOrphanColumns).all();
  for (std::size_t i = 0; i < orphans.size(); ++i) {
    read_spec.read(static_cast<int>(i), orphans[i].task.spec);
  }
  return orphans;
}

}  // namespace postern::db
