-- How many tasks a claim may take: pauses, limits and rates of queues and endpoints.

-- A token bucket: `p_count` in any `p_period`, and up to `p_burst` at once. Its size is at least the tokens of 50 ms,
-- because it is queried only every few milliseconds. 50 ms for that, and 50 ms for requests that the network bunches, are
-- added to the period, so that without a burst a receiver never sees more than `p_count` in any period. Returns NULLs
-- when `p_count` is NULL.
CREATE OR REPLACE FUNCTION postern.refilled(p_tokens double precision, p_at timestamptz, p_count integer, p_period interval,
                                 p_burst integer, OUT tokens double precision, OUT per_second double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  seconds double precision := extract(epoch FROM p_period);
  most double precision := greatest(coalesce(p_burst, 1), ceil(p_count * 0.05 / seconds));
BEGIN
  IF p_count IS NOT NULL THEN
    per_second := p_count / (seconds + 0.1);
    tokens := least(most, coalesce(p_tokens + extract(epoch FROM clock_timestamp() - p_at) * per_second, most));
  END IF;
END $$;

-- The number of tasks that may be claimed of each lane: what its queue and endpoint permit, at most `p_free`. Limits hold
-- over any number of schedulers, because the row of a limited queue or endpoint is locked until the claim commits.
-- `wait_ms`: the lane has more tasks, which may be claimed after this time; with `full_up`, also as soon as an attempt
-- ends. `target`: the endpoint as it was when this function permitted the claim; the claim itself has an older snapshot.
-- All tasks of a lane have the same tenant, queue and target, so the first one stands for all.
CREATE OR REPLACE FUNCTION postern.allow(p_lanes bigint[], p_free integer[])
RETURNS TABLE (lane bigint, free integer, wait_ms integer, full_up boolean, target postern.endpoint, default_ms integer,
               most_ms integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w record;
  q postern.queue;
  e postern.endpoint;
  of_queue record;                 -- the two buckets
  of_endpoint record;
  most double precision;           -- how many may be claimed of this lane
  taken jsonb := '{}';             -- tasks that this call permits, by queue and endpoint: they are not active yet
BEGIN
  IF EXISTS (SELECT FROM postern.setting s WHERE s.name = 'paused' AND s.value = 'true') THEN
    RETURN;
  END IF;
  FOR w IN
    SELECT n.lane, n.free, h.tenant, h.queue, r.target, (r.target).name AS endpoint,
           coalesce((r.target).timeout_ms, d.timeout_ms, 30000) AS default_ms,
           least(extract(epoch FROM d.max_runtime) * 1000, 86400000)::integer AS most_ms,
           coalesce(d.paused, false) OR coalesce((r.target).paused, false)
             OR h.queue = 'aq_test' AS paused,  -- the sandbox queue, even if its row says otherwise
           d.max_concurrent IS NOT NULL OR d.rate_count IS NOT NULL AS queue_limited,
           (r.target).max_in_flight IS NOT NULL OR (r.target).rate_count IS NOT NULL AS endpoint_limited,
           'q' || h.tenant || '/' || h.queue AS queue_place, 'e' || h.tenant || '/' || (r.target).name AS endpoint_place
      FROM unnest(p_lanes, p_free) WITH ORDINALITY AS n(lane, free, place)
     CROSS JOIN LATERAL (
       SELECT t.tenant, t.queue, t.endpoint FROM postern.task t
        WHERE t.lane = n.lane AND t.state = 'ready'
        ORDER BY t.priority DESC, t.run_at, t.id LIMIT 1) h
      LEFT JOIN postern.queue d ON d.tenant = h.tenant AND d.name = h.queue
      LEFT JOIN LATERAL (
        SELECT p AS target FROM postern.endpoint_of(h.tenant, h.endpoint) p) r
        ON h.endpoint IS NOT NULL
     ORDER BY n.place
  LOOP
    CONTINUE WHEN w.paused;
    lane := w.lane;
    free := w.free;
    wait_ms := NULL;
    full_up := false;
    target := w.target;
    default_ms := w.default_ms;
    most_ms := w.most_ms;
    IF NOT (w.queue_limited OR w.endpoint_limited) THEN
      RETURN NEXT;
      CONTINUE;
    END IF;

    q := NULL;
    e := NULL;
    IF w.queue_limited THEN
      SELECT * INTO q FROM postern.queue k WHERE k.tenant = w.tenant AND k.name = w.queue FOR UPDATE SKIP LOCKED;
    END IF;
    IF w.endpoint_limited THEN
      SELECT * INTO e FROM postern.endpoint k WHERE k.tenant = w.tenant AND k.name = w.endpoint FOR UPDATE SKIP LOCKED;
    END IF;
    IF w.queue_limited AND q IS NULL OR w.endpoint_limited AND e IS NULL THEN
      free := 0;
      wait_ms := 5;  -- another claim holds the lock
      RETURN NEXT;
      CONTINUE;
    END IF;

    most := w.free;
    IF q.max_concurrent IS NOT NULL THEN
      most := least(most, q.max_concurrent - coalesce((taken ->> w.queue_place)::integer, 0)
        - (SELECT count(*) FROM postern.task t WHERE t.tenant = w.tenant AND t.queue = w.queue AND t.state = 'active'));
    END IF;
    IF e.max_in_flight IS NOT NULL THEN
      most := least(most, e.max_in_flight - coalesce((taken ->> w.endpoint_place)::integer, 0)
        - (SELECT count(*) FROM postern.task t
            WHERE t.tenant = w.tenant AND t.resolved = w.endpoint AND t.state = 'active'));
    END IF;
    SELECT * INTO of_queue
      FROM postern.refilled(q.rate_tokens, q.rate_at, q.rate_count, q.rate_period, q.rate_burst);
    SELECT * INTO of_endpoint
      FROM postern.refilled(e.rate_tokens, e.rate_at, e.rate_count, e.rate_period, e.rate_burst);
    most := greatest(0, least(most, floor(of_queue.tokens), floor(of_endpoint.tokens)));

    -- Only as many as there are ready tasks: unused places and tokens would be lost to the next lane.
    SELECT count(*) INTO free FROM (
      SELECT FROM postern.task t WHERE t.lane = w.lane AND t.state = 'ready' LIMIT most::bigint) ready;
    IF free > 0 THEN
      UPDATE postern.queue k SET rate_tokens = of_queue.tokens - free, rate_at = clock_timestamp()
       WHERE k.tenant = w.tenant AND k.name = w.queue AND k.rate_count IS NOT NULL;
      UPDATE postern.endpoint k SET rate_tokens = of_endpoint.tokens - free, rate_at = clock_timestamp()
       WHERE k.tenant = w.tenant AND k.name = w.endpoint AND k.rate_count IS NOT NULL;
      taken := taken || jsonb_build_object(w.queue_place, coalesce((taken ->> w.queue_place)::integer, 0) + free);
      IF w.endpoint IS NOT NULL THEN
        taken := taken || jsonb_build_object(w.endpoint_place, coalesce((taken ->> w.endpoint_place)::integer, 0) + free);
      END IF;
    END IF;
    IF free = most AND most < w.free THEN
      -- Until the next token. With a full queue or endpoint 200 ms, since the attempt that frees a place may end at another
      -- scheduler.
      wait_ms := ceil(1000 * greatest(
        CASE WHEN of_queue.tokens - free < 1 THEN (1 - of_queue.tokens + free) / of_queue.per_second END,
        CASE WHEN of_endpoint.tokens - free < 1 THEN (1 - of_endpoint.tokens + free) / of_endpoint.per_second END));
      full_up := wait_ms IS NULL;
      wait_ms := coalesce(wait_ms, 200);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Gives back the tokens of tasks that allow() permitted and that the same claim did not take after all. Returns how many.
CREATE OR REPLACE FUNCTION postern.refund(p_tenant text, p_queue text, p_endpoint text, p_count integer)
RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE postern.queue q SET rate_tokens = q.rate_tokens + p_count
   WHERE q.tenant = p_tenant AND q.name = p_queue AND q.rate_count IS NOT NULL;
  UPDATE postern.endpoint e SET rate_tokens = e.rate_tokens + p_count
   WHERE e.tenant = p_tenant AND e.name = p_endpoint AND e.rate_count IS NOT NULL;
  RETURN p_count;
END $$;
