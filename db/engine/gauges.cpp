#include "db/engine/gauges.h"

namespace postern::db {

// One scheduler at a time; whoever comes while another is at it has nothing to do. Everything hangs
// on `turn`, so that without it nothing is read.
// Lanes, and the priorities within one, are found by loose index scans as in kTick: one descent for
// each. Deep lanes use up a budget for counting; behind them 1,000 of each are counted. What is
// found of a queue in several places is added up by grouping, not by joins: a scheduler has only
// nested loops, which would compare each queue with all others. NOT IN makes a hash table all the
// same. A queue that was empty and still is need not be written each time.
const Statement kMeasureQueues{"measure_queues", R"sql(
  WITH RECURSIVE turn AS MATERIALIZED (
    SELECT true
     WHERE NOT EXISTS (SELECT FROM postern.queue_gauge WHERE seen_at > now() - $1 * interval '1 millisecond' AND seen_at <= now())
       AND pg_try_advisory_xact_lock(hashtextextended('postern.measure_queues', 0))),
  deep AS MATERIALIZED (
    SELECT c.tenant, c.queue, sum(postern.depth_change(c.name, c.value))::bigint AS total
      FROM turn CROSS JOIN postern.counter c
     GROUP BY c.tenant, c.queue),
  lanes AS (
    SELECT l.lane, l.tenant, l.queue, r.ready, r.ready = 100000 AS cut, 200000 - r.ready AS budget
      FROM turn CROSS JOIN LATERAL (
        SELECT t.lane, t.tenant, t.queue FROM postern.task t
         WHERE t.state = 'ready' AND t.lane IS NOT NULL ORDER BY t.lane LIMIT 1) l
      CROSS JOIN LATERAL (
        SELECT count(*) AS ready FROM (
          SELECT FROM postern.task t
           WHERE t.lane = l.lane AND t.state = 'ready' LIMIT 100000) n) r
    UNION ALL
    SELECT l.lane, l.tenant, l.queue, r.ready, r.ready = m.most, lanes.budget - r.ready
      FROM lanes CROSS JOIN LATERAL (SELECT least(100000, greatest(1000, lanes.budget)) AS most) m CROSS JOIN LATERAL (
        SELECT t.lane, t.tenant, t.queue FROM postern.task t
         WHERE t.state = 'ready' AND t.lane > lanes.lane ORDER BY t.lane LIMIT 1) l
      CROSS JOIN LATERAL (
        SELECT count(*) AS ready FROM (
          SELECT FROM postern.task t
           WHERE t.lane = l.lane AND t.state = 'ready' LIMIT m.most) n) r),
  parts AS (
    SELECT tenant, name AS queue, 0::bigint AS total, 0::bigint AS ready, 0::bigint AS active, 0::bigint AS blocked,
           0::bigint AS lanes, false AS estimated, NULL::timestamptz AS oldest
      FROM turn CROSS JOIN postern.queue
    UNION ALL
    SELECT tenant, queue, total, 0, a.active, b.blocked, 0, a.active = 100000 OR b.blocked = 100000, NULL
      FROM deep CROSS JOIN LATERAL (
        SELECT count(*) AS active FROM (
          SELECT FROM postern.lease t
           WHERE t.deferred IN (false, true) AND t.tenant = deep.tenant AND t.queue = deep.queue LIMIT 100000) n) a
      CROSS JOIN LATERAL (
        SELECT count(*) AS blocked FROM (
          SELECT FROM postern.task t
           WHERE t.tenant = deep.tenant AND t.queue = deep.queue AND t.state = 'blocked' LIMIT 100000) n) b
     WHERE total > 0
    UNION ALL
    SELECT tenant, queue, 0, ready, 0, 0, 1, cut, o.oldest
      FROM lanes CROSS JOIN LATERAL (
        WITH RECURSIVE heads AS (
          (SELECT 100 - t.priority AS rank, t.run_at FROM postern.task t
            WHERE t.lane = lanes.lane AND t.state = 'ready'
              AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id)
            ORDER BY 100 - t.priority, t.run_at LIMIT 1)
          UNION ALL
          SELECT n.rank, n.run_at FROM heads CROSS JOIN LATERAL (
            SELECT 100 - t.priority AS rank, t.run_at FROM postern.task t
             WHERE t.lane = lanes.lane AND t.state = 'ready' AND 100 - t.priority > heads.rank
               AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id)
             ORDER BY 100 - t.priority, t.run_at LIMIT 1) n)
        SELECT min(run_at) AS oldest FROM heads) o),
  seen AS MATERIALIZED (
    SELECT tenant, queue, greatest(0, sum(ready) - sum(active))::bigint AS ready, sum(active)::bigint AS active,
           sum(blocked)::bigint AS blocked, greatest(0, sum(total) - sum(ready) - sum(blocked))::bigint AS delayed,
           sum(lanes)::bigint AS lanes, bool_or(estimated) AS estimated, min(oldest) AS oldest
      FROM parts GROUP BY tenant, queue),
  written AS (
    INSERT INTO postern.queue_gauge AS g (tenant, queue, seen_at, ready, delayed, active, blocked, lanes, estimated, oldest_due)
    SELECT tenant, queue, now(), ready, delayed, active, blocked, lanes, estimated, oldest FROM seen
    ON CONFLICT (tenant, queue) DO UPDATE
       SET seen_at = excluded.seen_at, ready = excluded.ready, delayed = excluded.delayed, active = excluded.active,
           blocked = excluded.blocked, lanes = excluded.lanes, estimated = excluded.estimated, oldest_due = excluded.oldest_due
     WHERE excluded.ready + excluded.delayed + excluded.active + excluded.blocked > 0
        OR g.ready + g.delayed + g.active + g.blocked > 0 OR g.seen_at NOT BETWEEN now() - interval '1 minute' AND now()),
  of_tenants AS (
    INSERT INTO postern.tenant_gauge AS g (tenant, waiting, lanes)
    SELECT tenant, sum(ready + delayed + blocked), sum(lanes) FROM seen GROUP BY tenant
    ON CONFLICT (tenant) DO UPDATE SET waiting = excluded.waiting, lanes = excluded.lanes
     WHERE (g.waiting, g.lanes) <> (excluded.waiting, excluded.lanes)),
  gone AS (
    DELETE FROM postern.tenant_gauge
     WHERE EXISTS (SELECT FROM turn) AND tenant NOT IN (SELECT tenant FROM seen))
  DELETE FROM postern.queue_gauge
   WHERE EXISTS (SELECT FROM turn) AND (tenant, queue) NOT IN (SELECT tenant, queue FROM seen))sql"};

Params measure_queues_params(Milliseconds every) {
  Params params;
  params.int8(every.count());
  return params;
}

}  // namespace postern::db
