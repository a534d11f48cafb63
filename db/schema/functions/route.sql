-- The routing of tasks that came in by the SQL door.

-- Routes tasks that core has looked at. Each array says of the n-th of them: its lane and its canonical URL, or, when `p_errors` is
-- not NULL, with which reason it fails. What somebody else holds or has routed is left alone, and what is a tenant's that is not here.
--
-- Here is judged what an enqueue cannot see without waiting for others. Once `p_quota` tasks of a tenant wait, as they were measured
-- last, its tasks fail as `quota_exceeded` (0: any number may). In a queue with max_entries those for which there is no room fail as
-- `queue_full`; with discard_old the oldest ones go instead, of those that are routed here, too. Rooms are made, and counters are
-- counted, in the order of queues.
CREATE OR REPLACE FUNCTION postern.route(
  p_instance uuid, p_ids uuid[], p_lanes bigint[], p_urls text[], p_tenants text[], p_queues text[], p_reasons text[],
  p_errors text[], p_quota bigint, OUT routed bigint, OUT ended bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ats tid[];                               -- by place in the arrays; NULL: not ours
  ours integer[];
  q record;
  of_queue postern.queue;
  good integer[];
  over integer[];
  wanted integer;
  places integer;
  place integer;
  failed integer;
  cancelled integer;
  v_state text;
  v_reason text;
  v_error text;
  t postern.task;
  away constant text[] := postern.resting();
BEGIN
  routed := 0;
  ended := 0;
  SELECT array_agg(h.at ORDER BY n.place), array_agg(n.place::integer ORDER BY n.place) FILTER (WHERE h.at IS NOT NULL)
    INTO ats, ours
    FROM unnest(p_ids) WITH ORDINALITY AS n(id, place) LEFT JOIN LATERAL (
      SELECT k.ctid AS at FROM postern.task k WHERE k.id = n.id AND k.lane IS NULL AND k.tenant <> ALL(away) FOR UPDATE SKIP LOCKED) h ON true;
  FOR q IN
    SELECT p_tenants[n.place] COLLATE "C" AS tenant, p_queues[n.place] COLLATE "C" AS name,
           array_agg(n.place ORDER BY n.place) FILTER (WHERE p_errors[n.place] IS NULL) AS good,
           array_agg(n.place ORDER BY n.place) FILTER (WHERE p_errors[n.place] IS NOT NULL) AS bad
      FROM unnest(ours) AS n(place) GROUP BY 1, 2 ORDER BY 1, 2
  LOOP
    good := coalesce(q.good, '{}');
    over := '{}';
    wanted := cardinality(good);
    IF wanted > 0 AND p_quota > 0
       AND EXISTS (SELECT FROM postern.tenant_gauge g WHERE g.tenant = q.tenant AND g.waiting >= p_quota) THEN
      over := good;
      good := '{}';
      v_state := 'failed';
      v_reason := 'quota_exceeded';
      v_error := 'as many tasks of its tenant waited as may';
    ELSIF wanted > 0 THEN
      INSERT INTO postern.queue (tenant, name) VALUES (q.tenant, q.name) ON CONFLICT DO NOTHING;
      SELECT * INTO of_queue FROM postern.queue k WHERE k.tenant = q.tenant AND k.name = q.name;
      IF of_queue.max_entries IS NOT NULL THEN
        places := postern.make_room(q.tenant, q.name, wanted, p_instance);
        IF places > 0 AND of_queue.discard_old THEN  -- the last ones discard those before them
          over := good[:wanted - places];
          good := good[wanted - places + 1:];
          v_state := 'cancelled';
          v_reason := 'discarded';
          v_error := 'discarded';
        ELSE
          over := good[places + 1:];
          good := good[:places];
          v_state := 'failed';
          v_reason := 'queue_full';
          v_error := 'its queue had no room';
        END IF;
      END IF;
    END IF;
    FOREACH place IN ARRAY coalesce(q.bad, '{}') LOOP
      SELECT * INTO t FROM postern.task k WHERE k.ctid = ats[place];
      PERFORM postern.finish_uncounted(t, 'failed', p_reasons[place], p_errors[place]);
    END LOOP;
    FOREACH place IN ARRAY over LOOP
      SELECT * INTO t FROM postern.task k WHERE k.ctid = ats[place];
      PERFORM postern.finish_uncounted(t, v_state, v_reason, v_error);
    END LOOP;
    UPDATE postern.task k SET lane = p_lanes[g.place], url = p_urls[g.place]
      FROM unnest(good) AS g(place) WHERE k.ctid = ats[g.place];
    failed := coalesce(cardinality(q.bad), 0);
    cancelled := 0;
    IF v_state = 'failed' THEN
      failed := failed + cardinality(over);
    ELSE
      cancelled := cardinality(over);
    END IF;
    PERFORM postern.count_ends(p_instance, q.tenant, q.name, 'finished_cancelled', cancelled, 0);
    PERFORM postern.count_ends(p_instance, q.tenant, q.name, 'finished_failed', failed,
                               cardinality(good) + failed + cancelled);
    ended := ended + failed + cancelled;
    routed := routed + cardinality(good);
  END LOOP;
END $$;
