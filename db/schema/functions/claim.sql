-- Claims: ready tasks get leases. What is to be sent is read afterwards, by functions of their own, because these see the tasks
-- and endpoints as they are once the tasks are locked, which the statement that claims does not; and because a claim that
-- carries an id and a few numbers from step to step costs a third less than one that carries whole rows.

-- Claims of each lane at most `p_free` tasks, by priority and then start, within the limits of queues and endpoints. Lane i is
-- `p_tenants[i]`, `p_queues[i]`, `p_endpoints[i]` (NULL: not known), and is scanned from where the scheduler last was in it:
-- its parts are `p_first[i]` to `p_last[i]`, of which part j goes from (`p_ranks[j]`, `p_starts[j]`, `p_ids[j]`) to the end of
-- rank `p_last_ranks[j]`, where a rank is 100 less the priority.
--
-- Each lease lasts its task's timeout and `p_grace` seconds. Tasks of `p_queue_timeouts`' dialects have no timeout but the
-- queue's max_runtime, an hour if it has none.
--
-- Returns the ids of the claimed tasks with the end of each lease, their tenants and, if any of them goes to one, endpoints; and
-- the lanes that have more than may be claimed now, with the milliseconds to wait and whether an attempt that ends changes that.
--
-- SKIP LOCKED shares the lanes with other schedulers; a task that one of them has claimed since the statement's snapshot was
-- taken has a lease already, and is not ours. MATERIALIZED, so that the claim never takes more than asked whatever the planner
-- thinks of it. One claim brings tasks until they have 4 MiB of bodies and results; the others are claimed next.
CREATE OR REPLACE FUNCTION postern.claim(
  p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[], p_first integer[], p_last integer[],
  p_ranks integer[], p_starts timestamptz[], p_ids uuid[], p_last_ranks integer[],
  p_lease uuid, p_instance uuid, p_grace bigint, p_queue_timeouts text[],
  OUT ids uuid[], OUT untils timestamptz[], OUT tenants text[], OUT endpoints text[],
  OUT held bigint[], OUT waits integer[], OUT full_ups boolean[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  allowed postern.allowance[];
  picked_ids uuid[];     -- tasks that were locked, and the number of each one's lane
  picked_lanes integer[];
  refused uuid[];        -- those of them that are not ours
BEGIN
  allowed := ARRAY(SELECT g FROM postern.allow(p_lanes, p_free, p_tenants, p_queues, p_endpoints) g);
  WITH picked AS MATERIALIZED (
    SELECT t.*, sum(t.bytes) OVER (ROWS UNBOUNDED PRECEDING) - t.bytes AS before_it
      FROM unnest(allowed) g CROSS JOIN LATERAL (
        SELECT f.id, f.tenant, f.queue, n, g.endpoint, f.bytes,
               now() + p_grace * interval '1 second' + interval '1 millisecond' * least(
                 coalesce(f.timeout_ms,
                          CASE WHEN f.dialect = ANY(p_queue_timeouts) THEN coalesce(g.endpoint_ms, g.runtime_ms, 3600000) END,
                          g.default_ms), g.runtime_ms, 86400000) AS until
          FROM unnest(g.lanes) n CROSS JOIN LATERAL (
            SELECT r.* FROM generate_series(p_first[n], p_last[n]) i CROSS JOIN LATERAL (
              SELECT k.id, k.tenant, k.queue, k.timeout_ms, k.dialect,
                     coalesce(octet_length(k.body), 0)
                       + CASE WHEN k.load_results THEN 16384 * coalesce(cardinality(k.dependencies), 0) ELSE 0 END AS bytes
                FROM postern.task k
               WHERE k.lane = p_lanes[n] AND k.state = 'ready'
                 AND ((100 - k.priority), k.run_at, k.id) >= (p_ranks[i], p_starts[i], p_ids[i])
                 AND (100 - k.priority) <= p_last_ranks[i]
                 AND (SELECT l.task FROM postern.lease l WHERE l.task = k.id) IS NULL
               ORDER BY (100 - k.priority), k.run_at, k.id LIMIT p_free[n] FOR NO KEY UPDATE OF k SKIP LOCKED) r
             LIMIT p_free[n]) f
         LIMIT g.most) t),
  leased AS (
    INSERT INTO postern.lease AS l (task, lease, instance, until, tenant, queue, resolved)
    SELECT p.id, p_lease, p_instance, p.until, p.tenant, p.queue, p.endpoint FROM picked p WHERE p.before_it < 4194304
    ON CONFLICT DO NOTHING
    RETURNING l.task, l.until, l.tenant, l.resolved)
  SELECT o.*, p.* INTO ids, untils, tenants, endpoints, picked_ids, picked_lanes
    FROM (SELECT array_agg(l.task), array_agg(l.until), array_agg(l.tenant),
                 CASE WHEN count(l.resolved) > 0 THEN array_agg(l.resolved) END FROM leased l) o,
         (SELECT array_agg(k.id), array_agg(k.n) FROM picked k) p;

  IF cardinality(picked_ids) > coalesce(cardinality(ids), 0) THEN
    refused := ARRAY(SELECT t FROM unnest(picked_ids) t WHERE t <> ALL(coalesce(ids, '{}')));
    SELECT array_agg(lane), array_agg(1), array_agg(false) INTO held, waits, full_ups
      FROM (SELECT DISTINCT p_lanes[k.n] AS lane FROM unnest(picked_ids, picked_lanes) k(id, n) WHERE k.id = ANY(refused)) r;
  END IF;
  -- The limited ones: what they took is charged, and those that have more wait.
  IF EXISTS (SELECT FROM unnest(allowed) g WHERE g.most IS NOT NULL) THEN
    PERFORM postern.spend(g.tenant, g.queue, g.endpoint, taken.count)
       FROM unnest(allowed) g CROSS JOIN LATERAL (
         SELECT count(*)::integer FROM unnest(picked_ids, picked_lanes) k(id, n)
          WHERE k.n = ANY(g.lanes) AND (refused IS NULL OR k.id <> ALL(refused))) taken
      WHERE g.most > 0 AND taken.count > 0;
    SELECT held || array_agg(p_lanes[n]), waits || array_agg(g.wait_ms), full_ups || array_agg(g.full_up)
      INTO held, waits, full_ups
      FROM unnest(allowed) g CROSS JOIN LATERAL unnest(g.lanes) n
     WHERE g.wait_ms IS NOT NULL
       AND (SELECT count(*) FROM unnest(picked_lanes) k WHERE k = ANY(g.lanes)) >= g.most
       AND n <> ALL(ARRAY(SELECT k FROM unnest(picked_lanes) k GROUP BY k HAVING count(*) >= p_free[k]));
  END IF;
END $$;

-- Those tasks, in the same order. REQUIRES: they are locked, so that each is there.
CREATE OR REPLACE FUNCTION postern.claimed_tasks(p_ids uuid[]) RETURNS SETOF postern.task
LANGUAGE plpgsql ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY SELECT t.* FROM unnest(p_ids) i CROSS JOIN LATERAL (SELECT * FROM postern.task k WHERE k.id = i OFFSET 0) t;
END $$;

-- What each of these endpoints says of a webhook, in the same order; a NULL is none. Nothing for NULL.
CREATE OR REPLACE FUNCTION postern.claimed_endpoints(p_tenants text[], p_names text[])
RETURNS TABLE (went_to text, endpoint_url text, endpoint_method text, endpoint_headers text, endpoint_secret text,
               endpoint_previous text, endpoint_previous_until timestamptz)
LANGUAGE plpgsql ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_names IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT n.name, e.url, e.method, e.headers::text, e.secret, e.previous, e.previous_until
                 FROM unnest(p_tenants, p_names) n(tenant, name)
                 LEFT JOIN LATERAL (
                   SELECT * FROM postern.endpoint p WHERE p.tenant = n.tenant AND p.name = n.name OFFSET 0) e ON true;
END $$;
