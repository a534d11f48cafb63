-- How many tasks a claim may take: pauses, limits and rates of queues and endpoints.

-- A token bucket: `p_count` in any `p_period`, and up to `p_burst` at once. Its size is at least the tokens of 50 ms,
-- because it is queried only every few milliseconds. 50 ms for that, and 50 ms for requests that the network bunches, are
-- added to the period, so that without a burst a receiver never sees more than `p_count` in any period. Nothing
-- has flowed in since a time that lies ahead. Returns NULLs when `p_count` is NULL.
CREATE OR REPLACE FUNCTION postern.refilled(p_tokens double precision, p_at timestamptz, p_count integer, p_period interval,
                                 p_burst integer, OUT tokens double precision, OUT per_second double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  seconds double precision := greatest(extract(epoch FROM p_period), 1);
  most double precision := greatest(coalesce(p_burst, 1), ceil(p_count * 0.05 / seconds));
  since double precision;
BEGIN
  IF p_count IS NOT NULL THEN
    per_second := p_count / (seconds + 0.1);
    since := CASE WHEN isfinite(p_at) THEN greatest(extract(epoch FROM clock_timestamp() - p_at), 0) END;
    tokens := least(most, coalesce(p_tokens + since * per_second, most));
  END IF;
END $$;

-- What may be claimed: of each lane at most `p_free`, within the limits of queues and endpoints. `p_tenants`, `p_queues` and
-- `p_endpoints` say what the lane stands for; where the tenant is NULL, its first ready task is looked at. Limits are weighed
-- once for a queue and target together, not for each of their lanes, and hold over any number of schedulers, because the row of
-- a limited queue or endpoint is locked until the claim commits. What is paused, and the lanes of a tenant that is not here, may be asked again
-- in a second; whoever ends a pause tells the schedulers. Nothing is returned while the whole engine is paused.
CREATE OR REPLACE FUNCTION postern.allow(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[],
                                         p_endpoints text[])
RETURNS SETOF postern.allowance
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w record;                        -- the lanes of one queue and target, and these as the statement's snapshot has them
  g postern.allowance;
  q postern.queue;                 -- the queue and the endpoint once they are locked
  e postern.endpoint;
  queue_bucket record;
  endpoint_bucket record;
  queue_place text;
  endpoint_place text;
  queue_left double precision;     -- what the queue and the endpoint permit still; NULL: anything
  endpoint_left double precision;
  remaining jsonb := '{}';         -- the same by queue and endpoint: what this call has permitted is not active yet
  spent jsonb := '{}';             -- of queues that permit nothing more: how long their lanes wait, and whether an end helps
  away constant text[] := postern.resting();
BEGIN
  IF EXISTS (SELECT FROM postern.setting s WHERE s.name = 'paused' AND s.value = 'true') THEN
    RETURN;
  END IF;
  FOR w IN
    SELECT p.*, d.timeout_ms, d.max_runtime, (r.target).name, (r.target).timeout_ms AS endpoint_ms,
           d.max_concurrent IS NOT NULL OR d.rate_count IS NOT NULL AS queue_limited,
           (r.target).max_in_flight IS NOT NULL OR (r.target).rate_count IS NOT NULL AS endpoint_limited,
           -- The sandbox queue is paused even if its row says otherwise.
           p.queue = 'aq_test' OR d.paused IS TRUE OR (r.target).paused IS TRUE OR p.tenant = ANY(away) AS paused
      FROM (
        SELECT k.tenant, k.queue, k.endpoint, array_agg(k.n ORDER BY k.n) AS lanes, sum(k.free) AS wanted
          FROM (SELECT a.n::integer AS n, a.free, coalesce(a.tenant, h.tenant) AS tenant, coalesce(a.queue, h.queue) AS queue,
                       coalesce(a.endpoint, h.endpoint) AS endpoint
                  FROM unnest(p_lanes, p_free, p_tenants, p_queues, p_endpoints)
                       WITH ORDINALITY AS a(lane, free, tenant, queue, endpoint, n)
                  LEFT JOIN LATERAL (
                    SELECT t.tenant, t.queue, t.endpoint FROM postern.task t
                     WHERE a.tenant IS NULL AND t.lane = a.lane AND t.state = 'ready'
                     ORDER BY (100 - t.priority), t.run_at, t.id LIMIT 1) h ON true) k
         WHERE k.tenant IS NOT NULL
         GROUP BY k.tenant, k.queue, k.endpoint) p
      LEFT JOIN LATERAL (SELECT * FROM postern.queue k WHERE k.tenant = p.tenant AND k.name = p.queue OFFSET 0) d ON true
      LEFT JOIN LATERAL (
        SELECT o AS target
          FROM postern.endpoint_of(p.tenant, CASE WHEN d.paused IS NOT TRUE AND p.queue <> 'aq_test' THEN p.endpoint END) o) r ON true
     ORDER BY p.lanes[1]
  LOOP
    g.lanes := w.lanes;
    g.tenant := w.tenant;
    g.queue := w.queue;
    g.endpoint := w.name;
    g.endpoint_ms := w.endpoint_ms;
    g.default_ms := coalesce(w.endpoint_ms, w.timeout_ms, 30000);
    g.runtime_ms := CASE WHEN w.max_runtime IS NOT NULL THEN least(extract(epoch FROM w.max_runtime) * 1000, 86400000) END;
    g.most := NULL;
    g.wait_ms := NULL;
    g.full_up := false;

    IF w.paused THEN
      g.most := 0;
      g.wait_ms := 1000;
    ELSIF w.queue_limited OR w.endpoint_limited THEN
      queue_place := 'q' || w.tenant || '/' || w.queue;
      endpoint_place := 'e' || w.tenant || '/' || w.name;
      q := NULL;
      e := NULL;
      IF spent ? queue_place THEN
        g.most := 0;
        g.wait_ms := (spent #>> ARRAY[queue_place, '0'])::integer;
        g.full_up := (spent #>> ARRAY[queue_place, '1'])::boolean;
        RETURN NEXT g;
        CONTINUE;
      END IF;
      IF w.queue_limited THEN
        SELECT * INTO q FROM postern.queue k WHERE k.tenant = w.tenant AND k.name = w.queue FOR UPDATE SKIP LOCKED;
      END IF;
      IF w.endpoint_limited THEN
        SELECT * INTO e FROM postern.endpoint k WHERE k.tenant = w.tenant AND k.name = w.name FOR UPDATE SKIP LOCKED;
      END IF;
      IF w.queue_limited AND q.name IS NULL OR w.endpoint_limited AND e.name IS NULL THEN  -- another claim holds the lock
        g.most := 0;
        g.wait_ms := 5;
      ELSE
        IF q.paused OR e.paused THEN
          g.most := 0;
          g.wait_ms := 1000;
          RETURN NEXT g;
          CONTINUE;
        END IF;
        IF w.endpoint_limited THEN
          g.endpoint_ms := e.timeout_ms;
          g.default_ms := coalesce(e.timeout_ms, w.timeout_ms, 30000);
        END IF;
        -- The clock has gone back: from now on the buckets fill again, with what they hold.
        IF q.rate_at > clock_timestamp() THEN
          UPDATE postern.queue k SET rate_at = clock_timestamp() WHERE k.tenant = w.tenant AND k.name = w.queue
          RETURNING k.rate_at INTO q.rate_at;
        END IF;
        IF e.rate_at > clock_timestamp() THEN
          UPDATE postern.endpoint k SET rate_at = clock_timestamp() WHERE k.tenant = w.tenant AND k.name = w.name
          RETURNING k.rate_at INTO e.rate_at;
        END IF;
        SELECT * INTO queue_bucket
          FROM postern.refilled(q.rate_tokens, q.rate_at, q.rate_count, q.rate_period, q.rate_burst);
        SELECT * INTO endpoint_bucket
          FROM postern.refilled(e.rate_tokens, e.rate_at, e.rate_count, e.rate_period, e.rate_burst);
        queue_left := (remaining ->> queue_place)::double precision;
        IF queue_left IS NULL THEN
          queue_left := least(floor(queue_bucket.tokens), q.max_concurrent - CASE WHEN q.max_concurrent IS NOT NULL THEN
            (SELECT count(*) FROM (SELECT FROM postern.lease l
                                    WHERE l.deferred IN (false, true) AND l.tenant = w.tenant AND l.queue = w.queue
                                    LIMIT q.max_concurrent) active) END);
        END IF;
        endpoint_left := (remaining ->> endpoint_place)::double precision;
        IF endpoint_left IS NULL THEN
          endpoint_left := least(floor(endpoint_bucket.tokens), e.max_in_flight - CASE WHEN e.max_in_flight IS NOT NULL THEN
            (SELECT count(*) FROM (SELECT FROM postern.lease l
                                    WHERE l.tenant = w.tenant AND l.resolved = e.name LIMIT e.max_in_flight) active) END);
        END IF;
        g.most := greatest(0, least(w.wanted, queue_left, endpoint_left));
        IF queue_left IS NOT NULL THEN
          remaining := remaining || jsonb_build_object(queue_place, queue_left - g.most);
        END IF;
        IF endpoint_left IS NOT NULL THEN
          remaining := remaining || jsonb_build_object(endpoint_place, endpoint_left - g.most);
        END IF;
        IF g.most < w.wanted THEN
          -- Until the next token. With a full queue or endpoint 200 ms, since the attempt that frees a place may end at another
          -- scheduler.
          g.wait_ms := ceil(1000 * greatest(
            CASE WHEN queue_bucket.tokens - g.most < 1 THEN (1 - queue_bucket.tokens + g.most) / queue_bucket.per_second END,
            CASE WHEN endpoint_bucket.tokens - g.most < 1 THEN (1 - endpoint_bucket.tokens + g.most) / endpoint_bucket.per_second END));
          g.full_up := g.wait_ms IS NULL;
          g.wait_ms := coalesce(g.wait_ms, 200);
          IF queue_left - g.most < 1 THEN
            spent := spent || jsonb_build_object(queue_place, jsonb_build_array(g.wait_ms, g.full_up));
          END IF;
        END IF;
      END IF;
    END IF;
    RETURN NEXT g;
  END LOOP;
END $$;

-- Takes the tokens of `p_count` tasks that a claim took. REQUIRES: allow() permitted them in this transaction, so that the rows
-- are locked. Returns `p_count`.
CREATE OR REPLACE FUNCTION postern.spend(p_tenant text, p_queue text, p_endpoint text, p_count integer)
RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE postern.queue q
     SET rate_tokens = (postern.refilled(q.rate_tokens, q.rate_at, q.rate_count, q.rate_period, q.rate_burst)).tokens - p_count,
         rate_at = clock_timestamp()
   WHERE q.tenant = p_tenant AND q.name = p_queue AND q.rate_count IS NOT NULL;
  IF p_endpoint IS NOT NULL THEN
    UPDATE postern.endpoint e
       SET rate_tokens = (postern.refilled(e.rate_tokens, e.rate_at, e.rate_count, e.rate_period, e.rate_burst)).tokens - p_count,
           rate_at = clock_timestamp()
     WHERE e.tenant = p_tenant AND e.name = p_endpoint AND e.rate_count IS NOT NULL;
  END IF;
  RETURN p_count;
END $$;
