#include "db/engine/orphans.h"

#include "db/tasks/columns.h"

namespace postern::db {

const BuiltStatement kOrphans{"orphans", "SELECT " + spec_columns(Body::left_out) + R"sql(,
         lease, lane, attempt, attempt_base, claimed_at, lease_until, deadline < now() AS past_deadline, instance,
         gone, deferred
    FROM (SELECT t.*, t.instance = ANY($1) OR t.instance IS NULL
                        OR NOT EXISTS (SELECT FROM postern.instance i WHERE i.id = t.instance) AS gone
            FROM postern.task t WHERE t.state = 'active' AND NOT t.deferred
           UNION ALL
         (SELECT t.*, true FROM postern.task t
           WHERE t.state = 'active' AND t.deferred AND t.lease_until < now()
           ORDER BY t.lease_until LIMIT 500)) active
   WHERE gone OR lease_until < now()
   ORDER BY gone DESC, lease_until LIMIT 500)sql"};

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
    {"claimed_at", [](Orphan& orphan, const Cell& cell) { orphan.task.claimed_at = cell.time(); }},
    {"lease_until",
     [](Orphan& orphan, const Cell& cell) { orphan.task.lease_until = cell.time(); }},
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
