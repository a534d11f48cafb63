#include "db/engine/lanes.h"

namespace postern::db {

// Written in the order of their ids, so that two schedulers never wait for each other in a circle.
const Statement kNoteLanes{"note_lanes", R"sql(
  INSERT INTO postern.lane AS l (id, tenant, queue, target, used_at)
  SELECT id, tenant, queue, target, date_trunc('hour', now())
    FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[]) AS n(id, tenant, queue, target)
   ORDER BY id
  ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at WHERE l.used_at < excluded.used_at)sql"};

Params note_lanes_params(std::span<const LaneRow> lanes) {
  Array id(Oid::int8), tenant(Oid::text), queue(Oid::text), target(Oid::text);
  for (const auto& lane : lanes) {
    id.int8(lane.id);
    tenant.text(lane.tenant);
    queue.text(lane.queue);
    target.text(lane.target);
  }
  Params params;
  for (const auto* column : {&id, &tenant, &queue, &target}) params.array(*column);
  return params;
}

// A lane whose row is removed and that is used again gets a new one with its next claim. One that
// is being noted is passed over.
const Statement kCollectLanes{"collect_lanes", R"sql(
  WITH looked AS MATERIALIZED (
    SELECT id, used_at FROM postern.lane WHERE id > $1 ORDER BY id LIMIT 5000),
  collected AS (
    DELETE FROM postern.lane WHERE id = ANY(ARRAY(
      SELECT l.id FROM (
        SELECT id FROM looked l WHERE used_at < now() - interval '1 day'
           AND NOT EXISTS (SELECT FROM postern.task t WHERE t.lane = l.id AND t.state = 'ready') OFFSET 0) l
       CROSS JOIN LATERAL (
         SELECT FROM postern.lane o WHERE o.id = l.id AND o.used_at < now() - interval '1 day'
            FOR UPDATE SKIP LOCKED) o)))
  SELECT id FROM looked WHERE (SELECT count(*) FROM looked) = 5000 ORDER BY id DESC LIMIT 1)sql"};

Params collect_lanes_params(const LanePlace& from) {
  Params params;
  params.int8(from.id);
  return params;
}

std::optional<LanePlace> lanes_behind(const PgResult& result) {
  if (result.rows() == 0) return std::nullopt;
  return LanePlace{result.integer(0, 0)};
}

}  // namespace postern::db
