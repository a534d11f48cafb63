#include "db/engine/tick.h"

#include <algorithm>

namespace postern::db {

// The lanes with ready work by a loose index scan: one index descent per lane, however many tasks.
// Kinds: 0 lane, 1 promoted, 2 microseconds to the next delayed task, 3 unrouted tasks are there,
// 4 sequels are there, 5 microseconds to the next occurrence of a schedule.
const Statement kTick{"tick", R"sql(
  WITH RECURSIVE due AS MATERIALIZED (
    SELECT id FROM postern.task WHERE state = 'delayed' AND run_at <= now()
     ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED),
  promoted AS (
    UPDATE postern.task t SET state = 'ready', updated_at = now()
     WHERE t.id = ANY(ARRAY(SELECT id FROM due))
    RETURNING t.lane),
  lanes AS (
    (SELECT lane FROM postern.task WHERE state = 'ready' AND lane IS NOT NULL
      ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT t.lane FROM postern.task t
             WHERE t.state = 'ready' AND t.lane > lanes.lane ORDER BY t.lane LIMIT 1)
      FROM lanes WHERE lanes.lane IS NOT NULL)
  SELECT 0 AS kind, lane AS value FROM lanes WHERE lane IS NOT NULL
  UNION
  SELECT 0, lane FROM promoted WHERE lane IS NOT NULL
  UNION ALL
  SELECT 1, count(*) FROM promoted
  UNION ALL
  (SELECT 2, (extract(epoch FROM run_at - clock_timestamp()) * 1000000)::bigint FROM postern.task
    WHERE state = 'delayed' AND run_at > now() ORDER BY run_at LIMIT 1)
  UNION ALL
  (SELECT 3, 1 FROM postern.task WHERE lane IS NULL LIMIT 1)
  UNION ALL
  (SELECT 4, 1 FROM postern.sequel LIMIT 1)
  UNION ALL
  (SELECT 5, (extract(epoch FROM next_at - clock_timestamp()) * 1000000)::bigint FROM postern.schedule
    WHERE NOT paused AND next_at IS NOT NULL ORDER BY next_at LIMIT 1))sql"};

Params tick_params(int limit) {
  Params params;
  params.int8(limit);
  return params;
}

Tick tick_from(const PgResult& result) {
  Tick tick;
  const int kind_column = result.column("kind"), value_column = result.column("value");
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
      default: tick.next_occurrence = Milliseconds{std::max<std::int64_t>(0, value + 999) / 1000};
    }
  }
  return tick;
}

}  // namespace postern::db
