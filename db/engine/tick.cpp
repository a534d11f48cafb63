#include "db/engine/tick.h"

#include <algorithm>
#include <limits>

namespace postern::db {

// The lanes with ready work by a loose index scan: one index descent per lane, however many tasks.
// It goes through the gaps between the lanes that the scheduler knows well ($2 to $3), and these
// are looked at behind their marks, for the dead entries of a busy lane may be many. Kinds: 0 lane,
// 1 promoted, 2 microseconds to the next delayed task, 3 unrouted tasks are there, 4 sequels are
// there, 5 microseconds to the next occurrence of a schedule, 6 lane of promoted ones, 7 the last
// lane of a gap that may have more.
const Statement kTick{"tick", R"sql(
  WITH RECURSIVE due AS MATERIALIZED (
    SELECT id FROM postern.task WHERE state = 'delayed' AND run_at <= now()
     ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED),
  promoted AS (
    UPDATE postern.task t SET state = 'ready', updated_at = now()
     WHERE t.id = ANY(ARRAY(SELECT id FROM due))
    RETURNING t.lane, t.run_at),
  lanes AS (
    SELECT gap.hi, 1 AS number, (SELECT t.lane FROM postern.task t
                     WHERE t.state = 'ready' AND t.lane > gap.lo AND t.lane < gap.hi ORDER BY t.lane LIMIT 1) AS lane
      FROM unnest($2::int8[], $3::int8[]) AS gap(lo, hi)
    UNION ALL
    SELECT lanes.hi, lanes.number + 1, (SELECT t.lane FROM postern.task t
                       WHERE t.state = 'ready' AND t.lane > lanes.lane AND t.lane < lanes.hi ORDER BY t.lane LIMIT 1)
      FROM lanes WHERE lanes.lane IS NOT NULL AND lanes.number < $11)
  SELECT 0 AS kind, lane AS value, NULL::timestamptz AS run_at FROM lanes WHERE lane IS NOT NULL
  UNION ALL
  SELECT 7, lane, NULL FROM lanes WHERE lane IS NOT NULL AND number = $11
  UNION ALL
  SELECT 0, k.lane, NULL FROM unnest($4::int8[], $5::int4[], $6::int4[]) AS k(lane, first, last)
   WHERE EXISTS (
     SELECT FROM generate_series(k.first, k.last) s(i) CROSS JOIN LATERAL (
       SELECT FROM postern.task t
        WHERE t.lane = k.lane AND t.state = 'ready'
          AND ((100 - t.priority), t.run_at, t.id) >= (($7::int4[])[s.i], ($8::timestamptz[])[s.i], ($9::uuid[])[s.i])
          AND (100 - t.priority) <= ($10::int4[])[s.i]
        ORDER BY (100 - t.priority), t.run_at, t.id LIMIT 1) f)
  UNION ALL
  SELECT 6, lane, min(run_at) FROM promoted WHERE lane IS NOT NULL GROUP BY lane
  UNION ALL
  SELECT 1, count(*), NULL FROM promoted
  UNION ALL
  (SELECT 2, (extract(epoch FROM run_at - clock_timestamp()) * 1000000)::bigint, NULL FROM postern.task
    WHERE state = 'delayed' AND run_at > now() AND run_at < 'infinity' ORDER BY run_at LIMIT 1)
  UNION ALL
  (SELECT 3, 1, NULL FROM postern.task WHERE lane IS NULL LIMIT 1)
  UNION ALL
  (SELECT 4, 1, NULL FROM postern.sequel LIMIT 1)
  UNION ALL
  (SELECT 5, (extract(epoch FROM next_at - clock_timestamp()) * 1000000)::bigint, NULL FROM postern.schedule
    WHERE NOT paused AND next_at >= '1970-01-01 00:00:00+00' AND next_at < 'infinity' ORDER BY next_at LIMIT 1))sql"};

Params tick_params(const TickScope& scope) {
  Array lo(Oid::int8), hi(Oid::int8), lane(Oid::int8), first(Oid::int4), last(Oid::int4);
  LaneScans scans;
  auto begin = std::numeric_limits<std::int64_t>::min();
  const auto gap_to = [&](std::int64_t end) {
    // The last place in the gap, where the gap was cut.
    const auto behind = std::ranges::lower_bound(scope.from, end);
    lo.int8(behind == scope.from.begin() ? begin : std::max(begin, *std::prev(behind)));
    hi.int8(end);
    begin = end;
  };
  for (const auto& each : scope.known) {
    gap_to(each.lane);
    lane.int8(each.lane);
    first.int4(scans.size() + 1);
    scans.add(each.marks);
    last.int4(scans.size());
  }
  gap_to(std::numeric_limits<std::int64_t>::max());
  Params params;
  params.int8(scope.limit);
  for (const auto* column : {&lo, &hi, &lane, &first, &last}) params.array(*column);
  scans.add_to(params);
  params.int8(scope.lanes);
  return params;
}

Tick tick_from(const PgResult& result) {
  Tick tick;
  const int kind_column = result.column("kind"), value_column = result.column("value"),
            run_at = result.column("run_at");
  for (int i = 0; i < result.rows(); ++i) {
    const auto value = result.integer(i, value_column);
    switch (result.integer(i, kind_column)) {
      case 0: tick.ready_lanes.push_back(value); break;
      case 1: tick.promoted = static_cast<int>(value); break;
      case 2:
        // Rounded up: a timer that fires before the time is worth nothing.
        tick.next_due = Milliseconds{std::max<std::int64_t>(0, value) / 1000 + 1};
        break;
      case 3: tick.unrouted = true; break;
      case 4: tick.sequels = true; break;
      case 7: tick.stopped_at.push_back(value); break;
      case 6: tick.promoted_lanes.push_back({value, result.time(i, run_at)}); break;
      default: tick.next_occurrence = Milliseconds{std::max<std::int64_t>(0, value + 999) / 1000};
    }
  }
  std::ranges::sort(tick.stopped_at);
  return tick;
}

}  // namespace postern::db
