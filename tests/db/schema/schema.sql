CREATE SCHEMA postern;
CREATE TYPE postern.allowance AS (
	lanes integer[],
	tenant text,
	queue text,
	endpoint text,
	endpoint_ms integer,
	default_ms integer,
	runtime_ms integer,
	most integer,
	wait_ms integer,
	full_up boolean
);
CREATE FUNCTION postern.allow(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[]) RETURNS SETOF postern.allowance
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION postern.authenticate(p_hash bytea) RETURNS TABLE(name text, role text, tenant text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN QUERY
    SELECT k.name, k.role, k.tenant FROM postern.api_key k
     WHERE k.hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
  IF FOUND AND NOT pg_is_in_recovery() THEN
    UPDATE postern.api_key k SET last_used_at = date_trunc('minute', now())
     WHERE k.hash = p_hash
       AND (k.last_used_at IS NULL OR k.last_used_at < date_trunc('minute', now()))
       AND pg_try_advisory_xact_lock(hashtextextended(encode(p_hash, 'hex'), 0));
  END IF;
END $$;
CREATE FUNCTION postern.awaited(p_ids uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN ARRAY(SELECT i FROM unnest(p_ids) i WHERE EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = i));
END $$;
CREATE FUNCTION postern.cancel_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  found record;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  IF NOT found.waits THEN
    RETURN found.state;
  END IF;
  PERFORM postern.finish(found.t, p_instance, 'cancelled', 'cancelled', NULL);
  RETURN 'done';
END $$;
CREATE FUNCTION postern.canonical_url(p_url text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $$
DECLARE
  parts text[] := postern.url_parts(p_url);
  scheme text := lower(parts[1]);
  host text := lower(parts[2]);
  own_port integer := CASE scheme WHEN 'https' THEN 443 ELSE 80 END;
  port integer := coalesce(substr(parts[3], 2)::integer, own_port);
BEGIN
  IF left(host, 1) = '[' THEN
    host := '[' || host(trim(host, '[]')::inet) || ']';
  END IF;
  RETURN scheme || '://' || host || CASE WHEN port = own_port THEN '' ELSE ':' || port END
         || CASE WHEN parts[4] LIKE '/%' THEN '' ELSE '/' END || coalesce(parts[4], '');
END $$;
CREATE FUNCTION postern.change_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_blocked boolean, p_run_at timestamp with time zone, p_delay_ms bigint, p_priority smallint, p_body_form text, p_body bytea, p_content_type text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  found record;
  t postern.task;
  starts timestamptz := coalesce(p_run_at, now() + p_delay_ms * interval '1 millisecond');
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF NOT found.waits OR found.state = 'blocked' AND NOT p_blocked THEN
    RETURN found.state;
  ELSIF starts IS NOT NULL AND greatest(starts, now()) > t.deadline THEN
    RETURN 'late';
  END IF;
  t.run_at := CASE WHEN starts <= now() THEN least(t.run_at, now()) ELSE coalesce(starts, t.run_at) END;
  UPDATE postern.task
     SET run_at = t.run_at, priority = coalesce(p_priority, priority),
         body_form = coalesce(p_body_form, body_form),
         body = CASE WHEN p_body_form IS NULL THEN body ELSE p_body END,
         content_type = CASE p_body_form WHEN 'payload' THEN NULL ELSE coalesce(p_content_type, content_type) END,
         state = CASE WHEN state = 'blocked' THEN state WHEN t.run_at > now() THEN 'delayed' ELSE 'ready' END, updated_at = now()
   WHERE id = p_id;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;
CREATE FUNCTION postern.claim(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[], p_first integer[], p_last integer[], p_ranks integer[], p_starts timestamp with time zone[], p_ids uuid[], p_last_ranks integer[], p_lease uuid, p_instance uuid, p_grace bigint, p_queue_timeouts text[], OUT ids uuid[], OUT untils timestamp with time zone[], OUT tenants text[], OUT endpoints text[], OUT held bigint[], OUT waits integer[], OUT full_ups boolean[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION postern.claimed_endpoints(p_tenants text[], p_names text[]) RETURNS TABLE(went_to text, endpoint_url text, endpoint_method text, endpoint_headers text, endpoint_secret text, endpoint_previous text, endpoint_previous_until timestamp with time zone)
    LANGUAGE plpgsql ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF p_names IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT n.name, e.url, e.method, e.headers::text, e.secret, e.previous, e.previous_until
                 FROM unnest(p_tenants, p_names) n(tenant, name)
                 LEFT JOIN LATERAL (
                   SELECT * FROM postern.endpoint p WHERE p.tenant = n.tenant AND p.name = n.name OFFSET 0) e ON true;
END $$;
CREATE TABLE postern.task (
    id uuid NOT NULL,
    lease uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline timestamp with time zone,
    lane bigint,
    job_id bigint,
    key_seq bigint,
    repeat_seconds bigint,
    hold_seconds bigint,
    timeout_ms integer,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 4 NOT NULL,
    result_code integer,
    result_ms integer,
    priority smallint DEFAULT 50 NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    load_results boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    dialect text DEFAULT 'native'::text NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    method text DEFAULT 'POST'::text NOT NULL,
    url text,
    endpoint text COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C",
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    body_form text DEFAULT 'payload'::text NOT NULL,
    content_type text,
    headers text,
    key text COLLATE pg_catalog."C",
    idempotency_key text,
    on_complete_url text,
    on_failure_url text,
    traceparent text,
    extra text,
    last_error text,
    tags text[],
    dependencies uuid[],
    attempts json DEFAULT '[]'::json NOT NULL,
    body bytea,
    reason text DEFAULT ''::text NOT NULL,
    retention text DEFAULT 'standard'::text NOT NULL,
    result_headers text,
    result_body bytea,
    CONSTRAINT task_dialect_known CHECK ((dialect = ANY (ARRAY['native'::text, 'asyncqueue'::text, 'taskmq'::text, 'asyncjobs'::text]))),
    CONSTRAINT task_is_live CHECK (((state = ANY (ARRAY['ready'::text, 'delayed'::text, 'blocked'::text])) AND (finished_at IS NULL) AND (reason = ''::text) AND (lease IS NULL) AND (NOT deferred))),
    CONSTRAINT task_ranges CHECK ((((attempt >= attempt_base) AND (attempt <= 2147483646)) AND (attempt_base >= 0) AND (max_attempts >= 1) AND ((priority >= 0) AND (priority <= 100)) AND ((timeout_ms >= 1000) AND (timeout_ms <= 86400000)) AND ((repeat_seconds >= 1) AND (repeat_seconds <= 316224000)) AND ((hold_seconds >= 1) AND (hold_seconds <= 604800)) AND ((run_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (run_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((deadline >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (deadline <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((url IS NULL) <> (endpoint IS NULL)) AND (body_form = ANY (ARRAY['payload'::text, 'raw'::text]))))
)
WITH (fillfactor='80', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0.1');
CREATE FUNCTION postern.claimed_tasks(p_ids uuid[]) RETURNS SETOF postern.task
    LANGUAGE plpgsql ROWS 100
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN QUERY SELECT t.* FROM unnest(p_ids) i CROSS JOIN LATERAL (SELECT * FROM postern.task k WHERE k.id = i OFFSET 0) t;
END $$;
CREATE FUNCTION postern.count_end(t postern.task, p_instance uuid, p_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM postern.count_one(p_instance, t.tenant, t.queue, p_name);
  IF t.lane IS NULL THEN
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'created');
  END IF;
END $$;
CREATE FUNCTION postern.count_ends(p_instance uuid, p_tenant text, p_queue text, p_name text, p_ended integer, p_unrouted integer) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
  SELECT p_instance, p_tenant, p_queue, n.name, n.value
    FROM (VALUES (p_name, p_ended), ('created', p_unrouted)) AS n(name, value) WHERE n.value > 0
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value
$$;
CREATE FUNCTION postern.count_keys(p_tenant text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT count(*) FROM postern.api_key k
   WHERE k.tenant = p_tenant AND postern.key_ended_at(k.revoked_at, k.expires_at) IS NULL
$$;
CREATE FUNCTION postern.count_minute(p_most integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  whole CONSTANT timestamptz := date_trunc('minute', now() - interval '6 seconds') - interval '1 minute';
  late  boolean;
  pass  postern.minute_pass;
  past_tenant text;                        -- the first queue that was not looked at; NULL: all were
  past_queue  text;
  cut   boolean;                           -- it was the first of all
  away CONSTANT text[] := postern.resting();  -- whose marks go with them
BEGIN
  SELECT * INTO pass FROM postern.minute_pass FOR UPDATE SKIP LOCKED;
  IF pass.one IS NULL OR pass.done AND pass.minute = whole THEN
    RETURN false;
  END IF;
  late := pass.step_at NOT BETWEEN now() - interval '90 seconds' AND now()
          OR pass.done AND pass.minute < whole - interval '1 minute';
  IF pass.done OR late THEN
    pass.minute := whole;
    pass.marks_only := late;
    pass.tenant := '';
    pass.queue := '';
  END IF;
  LOOP
    WITH looked AS MATERIALIZED (
      SELECT c.tenant, c.queue, c.name, c.value FROM postern.counter c
       WHERE (c.tenant, c.queue) >= (pass.tenant, pass.queue) ORDER BY c.tenant, c.queue LIMIT p_most + 1),
    -- The queue of the last may have more of them.
    past AS MATERIALIZED (
      SELECT l.tenant, l.queue FROM looked l OFFSET p_most),
    sums AS MATERIALIZED (
      SELECT l.tenant, l.queue,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'created'), 0)::bigint AS created,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'finished_completed'), 0)::bigint AS completed,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'finished_failed'), 0)::bigint AS failed,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'finished_cancelled'), 0)::bigint AS cancelled,
             coalesce(sum(l.value) FILTER (WHERE l.name IN ('attempts_success', 'attempts_failed', 'attempts_lost')), 0)::bigint AS attempts,
             coalesce(sum(l.value) FILTER (WHERE l.name IN ('attempts_failed', 'attempts_lost')), 0)::bigint AS attempts_failed
        FROM looked l LEFT JOIN past p ON true
       WHERE l.queue <> '' AND l.tenant <> ALL(away) AND (p.tenant IS NULL OR (l.tenant, l.queue) <> (p.tenant, p.queue))
       GROUP BY l.tenant, l.queue),
    changed AS MATERIALIZED (
      SELECT l.*, greatest(0, l.created - coalesce(m.created, 0)) AS n_created,
             greatest(0, l.completed - coalesce(m.completed, 0)) AS n_completed,
             greatest(0, l.failed - coalesce(m.failed, 0)) AS n_failed,
             greatest(0, l.cancelled - coalesce(m.cancelled, 0)) AS n_cancelled,
             greatest(0, l.attempts - coalesce(m.attempts, 0)) AS n_attempts,
             greatest(0, l.attempts_failed - coalesce(m.attempts_failed, 0)) AS n_attempts_failed
        FROM sums l
        LEFT JOIN LATERAL (SELECT * FROM postern.queue_mark k WHERE k.tenant = l.tenant AND k.queue = l.queue) m ON true
       WHERE m.tenant IS NULL
          OR (l.created, l.completed, l.failed, l.cancelled, l.attempts, l.attempts_failed)
             <> (m.created, m.completed, m.failed, m.cancelled, m.attempts, m.attempts_failed)),
    marked AS (
      INSERT INTO postern.queue_mark AS m
      SELECT tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed FROM changed
      ON CONFLICT (tenant, queue) DO UPDATE
         SET created = excluded.created, completed = excluded.completed, failed = excluded.failed, cancelled = excluded.cancelled,
             attempts = excluded.attempts, attempts_failed = excluded.attempts_failed),
    -- The busiest of this step have the room that is left.
    placed AS MATERIALIZED (
      SELECT c.*, row_number() OVER (PARTITION BY c.tenant ORDER BY c.n_created + c.n_attempts + c.n_cancelled DESC, c.queue)
                  + coalesce((SELECT t.queues FROM postern.queue_minute t
                               WHERE t.minute = pass.minute AND t.tenant = c.tenant AND t.queue = ''), 0) AS place
        FROM changed c WHERE NOT pass.marks_only),
    of_queues AS (
      INSERT INTO postern.queue_minute AS m (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed)
      SELECT pass.minute, tenant, queue, n_created, n_completed, n_failed, n_cancelled, n_attempts, n_attempts_failed
        FROM placed WHERE place <= 1000
      ON CONFLICT (minute, tenant, queue) DO UPDATE
         SET created = m.created + excluded.created, completed = m.completed + excluded.completed,
             failed = m.failed + excluded.failed, cancelled = m.cancelled + excluded.cancelled,
             attempts = m.attempts + excluded.attempts, attempts_failed = m.attempts_failed + excluded.attempts_failed),
    of_tenants AS (
      INSERT INTO postern.queue_minute AS m (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed,
                                             queues, left_out)
      SELECT pass.minute, tenant, '', sum(n_created), sum(n_completed), sum(n_failed), sum(n_cancelled), sum(n_attempts),
             sum(n_attempts_failed), count(*) FILTER (WHERE place <= 1000), bool_or(place > 1000)
        FROM placed GROUP BY tenant
      ON CONFLICT (minute, tenant, queue) DO UPDATE
         SET created = m.created + excluded.created, completed = m.completed + excluded.completed,
             failed = m.failed + excluded.failed, cancelled = m.cancelled + excluded.cancelled,
             attempts = m.attempts + excluded.attempts, attempts_failed = m.attempts_failed + excluded.attempts_failed,
             queues = m.queues + excluded.queues, left_out = m.left_out OR excluded.left_out)
    SELECT p.tenant, p.queue, (p.tenant, p.queue) = (SELECT f.tenant, f.queue FROM looked f LIMIT 1) INTO past_tenant, past_queue, cut
      FROM past p;
    -- A queue that alone has more counters is looked at whole.
    EXIT WHEN cut IS NOT TRUE;
    p_most := 2 * p_most;
  END LOOP;
  pass.done := past_tenant IS NULL;
  IF pass.done AND NOT pass.marks_only THEN
    INSERT INTO postern.counted_minute VALUES (pass.minute) ON CONFLICT DO NOTHING;
  END IF;
  UPDATE postern.minute_pass
     SET minute = pass.minute, step_at = now(), marks_only = pass.marks_only, done = pass.done,
         tenant = coalesce(past_tenant, ''), queue = coalesce(past_queue, '');
  RETURN NOT pass.done;
END $$;
CREATE FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  INSERT INTO postern.counter AS c VALUES (p_instance, p_tenant, p_queue, p_name, 1)
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + 1
$$;
CREATE FUNCTION postern.create_key(p_hash bytea, p_name text, p_role text, p_tenant text, p_sandbox boolean, p_expires_at timestamp with time zone, p_most integer, p_kept integer) RETURNS timestamp with time zone
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE made timestamptz;
BEGIN
  IF p_role NOT IN ('admin', 'worker', 'read') THEN
    RAISE EXCEPTION 'a key of the role % is not made here', p_role USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- One of a tenant at a time: two would make one too many, and delete the same keys in different orders.
  PERFORM pg_advisory_xact_lock(hashtextextended('postern.create_key ' || p_tenant, 0));
  IF postern.count_keys(p_tenant) >= p_most THEN RETURN NULL; END IF;
  DELETE FROM postern.api_key d WHERE d.hash IN (
    SELECT k.hash FROM postern.api_key k
     WHERE k.tenant = p_tenant AND k.role <> 'operator' AND postern.key_ended_at(k.revoked_at, k.expires_at) IS NOT NULL
     ORDER BY postern.key_ended_at(k.revoked_at, k.expires_at) DESC OFFSET p_kept);
  INSERT INTO postern.api_key AS k (hash, name, role, tenant, sandbox, expires_at)
  VALUES (p_hash, p_name, p_role, p_tenant, p_sandbox, p_expires_at) RETURNING k.created_at INTO made;
  RETURN made;
END $$;
CREATE FUNCTION postern.create_tenant(p_name text, p_secret text) RETURNS timestamp with time zone
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE made timestamptz;
BEGIN
  INSERT INTO postern.tenant AS t (name) VALUES (p_name) ON CONFLICT DO NOTHING RETURNING t.created_at INTO made;
  IF made IS NOT NULL THEN
    INSERT INTO postern.tenant_secret (tenant, secret) VALUES (p_name, p_secret);
  END IF;
  RETURN made;
END $$;
CREATE FUNCTION postern.delete_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_any_state text[]) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  found record;
  t postern.task;
  over postern.task_finished;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL AND (found.waits OR coalesce(p_rules, t.dialect) = ANY(p_any_state)) THEN
    DELETE FROM postern.task WHERE id = p_id;
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = p_id;
    PERFORM postern.note_sequel(t);
    PERFORM postern.count_end(t, p_instance, 'deleted');
  ELSIF t.id IS NULL AND found.state IS NOT NULL THEN
    DELETE FROM postern.task_finished
     WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant
       AND coalesce(p_rules, dialect) = ANY(p_any_state)
    RETURNING * INTO over;
    IF over.id IS NULL THEN
      RETURN found.state;
    END IF;
    t.idempotency_key := over.idempotency_key;
    PERFORM postern.count_one(p_instance, over.tenant, over.queue, 'forgotten');
  ELSE
    RETURN found.state;
  END IF;
  DELETE FROM postern.idempotency_key
   WHERE tenant = p_tenant AND key = t.idempotency_key AND task = p_id;
  RETURN 'done';
END $$;
CREATE FUNCTION postern.depth_change(p_name text, p_value bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (p_name = ANY (ARRAY['created'::text, 'retried'::text])) THEN p_value WHEN (p_name = ANY (ARRAY['deleted'::text, 'finished_completed'::text, 'finished_failed'::text, 'finished_cancelled'::text])) THEN (- p_value) ELSE (0)::bigint END;
CREATE FUNCTION postern.discard_surplus(p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, OUT discarded bigint, OUT next_tenant text, OUT next_queue text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  q record;
  surplus bigint;
  away constant text[] := postern.resting();
BEGIN
  discarded := 0;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.discard_surplus', 0)) THEN
    RETURN;
  END IF;
  FOR q IN
    SELECT k.tenant, k.name, k.max_entries FROM postern.queue k
     WHERE k.discard_old AND k.max_entries IS NOT NULL AND (k.tenant, k.name) > (p_tenant, p_queue) AND k.tenant <> ALL(away)
     ORDER BY k.tenant, k.name LIMIT p_looks
  LOOP
    p_looks := p_looks - 1;
    surplus := least(p_limit - discarded, postern.queue_depth(q.tenant, q.name) - q.max_entries);
    IF surplus > 0 THEN
      discarded := discarded
        + postern.purge_queue(q.tenant, q.name, now(), 'cancelled', 'discarded', p_instance, surplus::integer);
    END IF;
    IF p_looks = 0 OR discarded >= p_limit THEN
      next_tenant := q.tenant;
      next_queue := q.name;
      RETURN;
    END IF;
  END LOOP;
END $$;
CREATE FUNCTION postern.drop_partition(p_class text, p_before timestamp with time zone) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    SET "TimeZone" TO 'UTC'
    AS $_$
DECLARE
  part text;
BEGIN
  SELECT c.relname INTO part
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = ('postern.task_finished_' || p_class)::regclass
     AND CASE WHEN c.relname ~ '_[0-9]{8}$'
              THEN to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= p_before END
   ORDER BY c.relname LIMIT 1;
  IF part IS NOT NULL THEN
    EXECUTE format('DROP TABLE postern.%I', part);
  END IF;
  RETURN part;
EXCEPTION WHEN lock_not_available THEN
  RETURN NULL;
END $_$;
CREATE TABLE postern.endpoint (
    tenant text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL,
    method text DEFAULT 'POST'::text NOT NULL,
    headers text,
    secret text,
    previous text,
    previous_until timestamp with time zone,
    timeout_ms integer,
    max_in_flight integer,
    rate_count integer,
    rate_period interval,
    rate_burst integer,
    rate_tokens double precision,
    rate_at timestamp with time zone,
    paused boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT endpoint_name_shape CHECK ((name ~ '^[a-zA-Z0-9_:-]{0,128}$'::text)),
    CONSTRAINT endpoint_previous_has_end CHECK (((previous IS NULL) = (previous_until IS NULL))),
    CONSTRAINT endpoint_ranges CHECK ((((timeout_ms >= 1000) AND (timeout_ms <= 1800000)) AND (max_in_flight >= 1))),
    CONSTRAINT endpoint_rate_range CHECK ((((rate_count IS NULL) = (rate_period IS NULL)) AND ((rate_count >= 1) AND (rate_count <= 1000000)) AND ((rate_period >= '00:00:01'::interval) AND (rate_period <= '1 day'::interval)) AND ((rate_burst >= 1) AND (rate_burst <= 1000000)) AND ((rate_tokens >= ('-1000000'::integer)::double precision) AND (rate_tokens <= (1000000)::double precision)) AND ((rate_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (rate_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))))
)
WITH (fillfactor='50');
CREATE FUNCTION postern.endpoint_of(p_tenant text, p_name text) RETURNS SETOF postern.endpoint
    LANGUAGE plpgsql STABLE STRICT ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  key text := p_name;
  near postern.endpoint;
  same integer;
BEGIN
  LOOP
    SELECT * INTO near FROM postern.endpoint p WHERE p.tenant = p_tenant AND p.name <= key COLLATE "C" ORDER BY p.name DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    IF starts_with(key, near.name) THEN
      RETURN NEXT near;
      EXIT;
    END IF;
    same := least(length(near.name), length(key)) - 1;
    WHILE left(near.name, same) <> left(key, same) LOOP
      same := same - 1;
    END LOOP;
    key := left(key, same);
  END LOOP;
END $$;
CREATE FUNCTION postern.enqueue(queue text, url text, payload jsonb DEFAULT NULL::jsonb, delay interval DEFAULT '00:00:00'::interval, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT 5, max_retries integer DEFAULT NULL::integer, headers jsonb DEFAULT NULL::jsonb, method text DEFAULT 'POST'::text, timeout interval DEFAULT NULL::interval, deadline timestamp with time zone DEFAULT NULL::timestamp with time zone, retry_policy text DEFAULT NULL::text, tags text[] DEFAULT NULL::text[]) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT postern.enqueue_row(session_user, queue, url, given, 'payload', convert_to(given::text, 'UTF8'),
                             NULL, delay, run_at, priority, max_retries, headers, method, timeout,
                             deadline, retry_policy, tags)
    FROM nullif(payload, 'null') AS given
$$;
CREATE FUNCTION postern.enqueue(queue text, url text, body bytea, content_type text, delay interval DEFAULT '00:00:00'::interval, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT 5, max_retries integer DEFAULT NULL::integer, headers jsonb DEFAULT NULL::jsonb, method text DEFAULT 'POST'::text, timeout interval DEFAULT NULL::interval, deadline timestamp with time zone DEFAULT NULL::timestamp with time zone, retry_policy text DEFAULT NULL::text, tags text[] DEFAULT NULL::text[]) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT postern.enqueue_row(session_user, queue, url, NULL, 'raw', body, content_type, delay, run_at,
                             priority, max_retries, headers, method, timeout, deadline,
                             retry_policy, tags)
$$;
CREATE FUNCTION postern.enqueue_row(p_role name, queue text, url text, payload jsonb, form text, bytes bytea, content_type text, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
DECLARE
  v_tenant text := coalesce((SELECT r.tenant FROM postern.role_tenant r WHERE r.role = p_role), 'default');
  v_start timestamptz;
  v_queue postern.queue;
  v_id uuid := postern.new_task_id();
  v_made timestamptz := clock_timestamp();  -- the time in the id: lists find a task by either
  v_wrong text;
  v_away text;
  v_cell text;
BEGIN
  v_wrong := CASE
    WHEN (queue ~ '^[a-zA-Z0-9_:-]{1,64}$') IS NOT TRUE THEN 'queue: must match ^[a-zA-Z0-9_:-]{1,64}$'
    WHEN queue = 'aq_test' THEN 'queue: must not be aq_test, which is that of sandbox keys'
    WHEN url IS NULL THEN 'url: must be given'
    WHEN (priority BETWEEN 1 AND 10) IS NOT TRUE THEN 'priority: must be 1 to 10'
    WHEN max_retries NOT BETWEEN 0 AND 100 THEN 'max_retries: must be 0 to 100'
    WHEN run_at NOT BETWEEN '1970-01-01 00:00:00+00' AND now() + interval '3660 days' THEN
      'run_at: must be a time from 1970 to ten years ahead'
    WHEN (delay BETWEEN '0' AND interval '3660 days') IS NOT TRUE THEN 'delay: must be 0 to ten years'
    WHEN timeout NOT BETWEEN '1 second' AND interval '30 minutes' THEN 'timeout: must be 1 second to 30 minutes'
    WHEN NOT postern.is_time(deadline) THEN 'deadline: must be a time from 1970 to 9999'
    WHEN deadline <= now() THEN 'deadline: must not be in the past'
    WHEN deadline < coalesce(run_at, now() + delay) THEN 'deadline: must not be before the start'
    WHEN (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')) IS NOT TRUE THEN
      'method: must be GET, POST, PUT, PATCH or DELETE'
    WHEN method = 'GET' AND bytes IS NOT NULL THEN 'method: must not be GET, which carries no body, with a payload'
    WHEN octet_length(concat(headers::text, tags::text, content_type, retry_policy)) > 65536 THEN
      'headers, tags, content_type, retry_policy: must be at most 64 KiB together'
    WHEN octet_length(bytes) > 16777216 THEN 'payload: must be at most 16 MiB'
  END;
  v_wrong := coalesce(v_wrong, postern.wrong_url(url));
  IF v_wrong IS NULL AND payload IS NOT NULL THEN
    v_wrong := postern.wrong_payload(payload);
  END IF;
  IF v_wrong IS NULL AND headers IS NOT NULL THEN
    v_wrong := postern.wrong_headers(headers);
  END IF;
  IF v_wrong IS NULL AND retry_policy IS NOT NULL THEN
    v_wrong := postern.wrong_retry_policy(retry_policy);
  END IF;
  IF v_wrong IS NULL AND content_type IS NOT NULL THEN
    v_wrong := postern.wrong_content_type(content_type);
  END IF;
  IF v_wrong IS NULL AND tags IS NOT NULL THEN
    v_wrong := postern.wrong_tags(tags);
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION '%', v_wrong USING ERRCODE = 'check_violation';
  END IF;
  SELECT t.state, t.moved_to INTO v_away, v_cell FROM postern.tenant t WHERE t.name = v_tenant AND t.state <> 'here';
  IF v_away = 'moved' OR v_away = 'arriving' AND v_cell IS NOT NULL THEN  -- one that comes back is there until it has arrived
    RAISE EXCEPTION 'the tenant % has moved to the cell %', v_tenant, v_cell USING ERRCODE = 'PM002';
  ELSIF v_away = 'arriving' THEN
    RAISE EXCEPTION 'the tenant % is on its way into this cell', v_tenant USING ERRCODE = 'PM001';
  ELSIF v_away = 'fenced' THEN
    RAISE EXCEPTION 'the tenant % is on its way to another cell', v_tenant USING ERRCODE = 'PM001';
  END IF;
  v_start := coalesce(run_at, now() + delay);
  SELECT * INTO v_queue FROM postern.queue q WHERE q.tenant = v_tenant AND q.name = enqueue_row.queue;
  INSERT INTO postern.task (
    id, created_at, updated_at, run_at, deadline, timeout_ms, max_attempts, priority, state, tenant, queue, method,
    url, retry_policy, body_form, content_type, headers, tags, body)
  VALUES (
    v_id, v_made, v_made, v_start, deadline,
    coalesce((extract(epoch FROM timeout) * 1000)::integer, v_queue.timeout_ms, 30000),
    least(1 + coalesce(max_retries, v_queue.max_retries, 3), v_queue.max_tries), priority * 10,
    CASE WHEN v_start > clock_timestamp() THEN 'delayed' ELSE 'ready' END, v_tenant, queue, method,
    postern.canonical_url(url), coalesce(retry_policy, v_queue.retry_policy, 'exponential'), form, content_type,
    headers::text, tags, bytes);
  RETURN v_id;
END $_$;
CREATE FUNCTION postern.expire_entries(p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, p_id uuid, OUT ended bigint, OUT next_tenant text, OUT next_queue text, OUT next_id uuid) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  q record;
  old record;
  t postern.task;
  n integer;
  unrouted integer;
  away constant text[] := postern.resting();
BEGIN
  ended := 0;
  FOR q IN
    SELECT k.tenant, k.name, now() - k.max_age AS before FROM postern.queue k
     WHERE k.max_age IS NOT NULL AND (k.tenant, k.name) >= (p_tenant, p_queue) AND k.tenant <> ALL(away) ORDER BY k.tenant, k.name
  LOOP
    n := 0;
    unrouted := 0;
    FOR old IN
      SELECT k.id, k.created_at < q.before AND (k.attempt > k.attempt_base OR k.run_at < q.before)
                   AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id) AS over
        FROM postern.task k
       WHERE k.tenant = q.tenant AND k.queue = q.name
         AND uuid_send(k.id) > CASE WHEN (q.tenant, q.name) = (p_tenant, p_queue) THEN uuid_send(p_id) ELSE '' END
       ORDER BY uuid_send(k.id) LIMIT p_looks
    LOOP
      p_looks := p_looks - 1;
      IF old.over THEN
        SELECT * INTO t FROM postern.task k WHERE k.id = old.id FOR UPDATE SKIP LOCKED;
        IF FOUND AND t.created_at < q.before AND (t.attempt > t.attempt_base OR t.run_at < q.before)
           AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id) THEN
          PERFORM postern.finish_uncounted(t, 'failed', 'max_age', 'it waited longer than the max_age of its queue');
          n := n + 1;
          unrouted := unrouted + (t.lane IS NULL)::integer;
        END IF;
      END IF;
      EXIT WHEN p_looks <= 0 OR ended + n >= p_limit;
    END LOOP;
    PERFORM postern.count_ends(p_instance, q.tenant, q.name, 'finished_failed', n, unrouted);
    ended := ended + n;
    IF p_looks <= 0 OR ended >= p_limit THEN
      next_tenant := q.tenant;
      next_queue := q.name;
      next_id := old.id;
      RETURN;
    END IF;
    p_looks := p_looks - 1;
    IF p_looks <= 0 THEN
      next_tenant := q.tenant;
      next_queue := q.name;
      next_id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
      RETURN;
    END IF;
  END LOOP;
END $$;
CREATE FUNCTION postern.fence() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  of_tenant text;
  stands text;  -- the tenant's state
  cell text;
BEGIN
  IF TG_OP = 'DELETE' THEN
    of_tenant := OLD.tenant;
  ELSE
    of_tenant := NEW.tenant;
  END IF;
  IF TG_ARGV[0] NOT IN ('left', 'arriving') AND NOT pg_try_advisory_xact_lock_shared(hashtextextended('postern.move_barrier ' || of_tenant, 0)) THEN
    RAISE EXCEPTION 'the tenant % is on its way to another cell', of_tenant USING ERRCODE = 'PM001';
  END IF;
  IF current_setting('transaction_isolation') = 'read committed' THEN
    SELECT t.state, t.moved_to INTO stands, cell FROM postern.tenant t WHERE t.name = of_tenant;
  ELSE
    BEGIN
      SELECT t.state, t.moved_to INTO stands, cell FROM postern.tenant t WHERE t.name = of_tenant FOR SHARE;
      IF NOT FOUND THEN
        stands := 'arriving';  -- it was not known here before the move
      END IF;
      RAISE EXCEPTION USING ERRCODE = 'PM000';  -- gives the lock back: an open transaction keeps no state from being changed
    EXCEPTION
      WHEN serialization_failure THEN stands := 'fenced';
      WHEN SQLSTATE 'PM000' THEN NULL;
    END;
  END IF;
  IF stands = 'moved' THEN
    RAISE EXCEPTION 'the tenant % has moved to the cell %', of_tenant, cell USING ERRCODE = 'PM002';
  ELSIF stands = 'fenced' THEN
    RAISE EXCEPTION 'the tenant % is on its way to another cell', of_tenant USING ERRCODE = 'PM001';
  ELSIF stands = 'arriving' AND TG_ARGV[0] = 'arriving' THEN
    RAISE EXCEPTION 'the tenant % is on its way into this cell', of_tenant USING ERRCODE = 'PM001';
  END IF;
  CASE TG_ARGV[0]
    WHEN 'task' THEN
      INSERT INTO postern.move_change (tenant, kind, key)
      VALUES (of_tenant, 't', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END);
    WHEN 'lease' THEN
      INSERT INTO postern.move_change (tenant, kind, key)
      VALUES (of_tenant, 't', CASE TG_OP WHEN 'DELETE' THEN OLD.task ELSE NEW.task END);
    WHEN 'task_finished' THEN
      INSERT INTO postern.move_change (tenant, kind, key, at)
      VALUES (of_tenant, 'f', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END,
              CASE TG_OP WHEN 'DELETE' THEN OLD.finished_at ELSE NEW.finished_at END);
    WHEN 'idempotency_key' THEN
      INSERT INTO postern.move_change (tenant, kind, key)
      VALUES (of_tenant, 'k', CASE TG_OP WHEN 'DELETE' THEN OLD.key ELSE NEW.key END);
    WHEN 'schedule_run' THEN
      INSERT INTO postern.move_change (tenant, kind, key, at)
      VALUES (of_tenant, 'r', CASE TG_OP WHEN 'DELETE' THEN OLD.schedule ELSE NEW.schedule END,
              CASE TG_OP WHEN 'DELETE' THEN OLD.nominal_time ELSE NEW.nominal_time END);
    ELSE NULL;  -- copied as a whole at the end, or has left, or has arrived
  END CASE;
  RETURN NULL;
END $$;
CREATE FUNCTION postern.fenced() RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN ARRAY(SELECT t.name FROM postern.tenant t WHERE t.state = 'fenced'
               UNION ALL
               SELECT m.tenant FROM postern.move m WHERE m.source AND m.step = 'deleting');
END $$;
CREATE FUNCTION postern.fenced_tables() RETURNS TABLE(name text, ignored text[], left_events text)
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
 VALUES ('task'::text,'{state,updated_at}'::text[],'INSERT'::text), ('task_finished'::text,'{}'::text[],NULL::text), ('lease'::text,'{}'::text[],NULL::text), ('queue'::text,'{}'::text[],'INSERT'::text), ('endpoint'::text,'{}'::text[],'INSERT'::text), ('schedule'::text,'{}'::text[],'INSERT'::text), ('schedule_run'::text,'{}'::text[],NULL::text), ('idempotency_key'::text,'{}'::text[],'INSERT'::text), ('tenant_secret'::text,'{}'::text[],'INSERT'::text), ('api_key'::text,'{last_used_at}'::text[],'DELETE OR INSERT OR UPDATE'::text);
END;
CREATE FUNCTION postern.finish(t postern.task, p_instance uuid, p_state text, p_reason text, p_error text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM postern.finish_uncounted(t, p_state, p_reason, p_error);
  PERFORM postern.count_end(t, p_instance, 'finished_' || p_state);
END $$;
CREATE FUNCTION postern.finish_uncounted(t postern.task, p_state text, p_reason text, p_error text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  DELETE FROM postern.task WHERE id = t.id;
  t.state := p_state;
  t.reason := p_reason;
  t.last_error := coalesce(p_error, t.last_error);
  t.updated_at := now();
  t.finished_at := now();
  t.retention := coalesce((SELECT CASE p_state WHEN 'completed' THEN q.retention_completed WHEN 'failed' THEN q.retention_failed
                                               ELSE q.retention_cancelled END
                             FROM postern.queue q WHERE q.tenant = t.tenant AND q.name = t.queue), 'standard');
  INSERT INTO postern.task_finished SELECT t.*;
  IF p_reason <> 'unreachable' AND t.dependencies IS NOT NULL THEN
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
  END IF;
  PERFORM postern.note_sequel(t);
END $$;
CREATE FUNCTION postern.finished_since(p_id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT to_timestamp((('x' || substr(replace(p_id::text, '-', ''), 1, 12))::bit(48)::bigint) / 1000.0) - interval '1 day'
$$;
CREATE FUNCTION postern.finished_state(p_tenant text, p_id uuid, p_since timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT state FROM postern.task_finished
   WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant
$$;
CREATE FUNCTION postern.is_time(p_time timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT p_time BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
$$;
CREATE FUNCTION postern.key_ended_at(p_revoked_at timestamp with time zone, p_expires_at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN CASE WHEN (LEAST(p_revoked_at, p_expires_at) <= now()) THEN LEAST(p_revoked_at, p_expires_at) ELSE NULL::timestamp with time zone END;
CREATE FUNCTION postern.list_keys(p_tenant text, p_working integer, p_ended integer) RETURNS TABLE(name text, role text, tenant text, sandbox boolean, created_at timestamp with time zone, last_used_at timestamp with time zone, expires_at timestamp with time zone, revoked_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  WITH keys AS (
    SELECT k.*, postern.key_ended_at(k.revoked_at, k.expires_at) AS ended_at FROM postern.api_key k WHERE k.tenant = p_tenant),
  shown AS (
    (SELECT * FROM keys WHERE ended_at IS NULL ORDER BY name LIMIT p_working)
    UNION ALL
    (SELECT * FROM keys WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, name LIMIT p_ended))
  SELECT name, role, tenant, sandbox, created_at, last_used_at, expires_at, revoked_at FROM shown
   ORDER BY ended_at DESC NULLS FIRST, name
$$;
CREATE FUNCTION postern.lock_task(p_tenant text, p_id uuid, p_since timestamp with time zone, OUT state text, OUT waits boolean, OUT t postern.task) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  SELECT * INTO t FROM postern.task WHERE id = p_id AND tenant = p_tenant FOR UPDATE;
  IF NOT FOUND THEN
    state := postern.finished_state(p_tenant, p_id, p_since);
  ELSIF EXISTS (SELECT FROM postern.lease WHERE task = p_id) THEN
    state := 'active';
  ELSE
    state := t.state;
  END IF;
  waits := coalesce(state IN ('ready', 'delayed', 'blocked'), false);
END $$;
CREATE FUNCTION postern.lock_tasks(p_tenant text, p_ids uuid[]) RETURNS TABLE(task uuid, of_queue text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  FOR task IN SELECT DISTINCT w FROM unnest(p_ids) w ORDER BY w LOOP
    SELECT t.queue INTO of_queue FROM postern.task t
     WHERE t.id = task AND t.tenant = p_tenant FOR UPDATE;
    IF NOT FOUND THEN
      SELECT f.queue INTO of_queue FROM postern.task_finished f
       WHERE f.id = task AND f.finished_at >= postern.finished_since(task)
         AND f.tenant = p_tenant FOR UPDATE;
    END IF;
    CONTINUE WHEN NOT FOUND;
    RETURN NEXT;
  END LOOP;
END $$;
CREATE FUNCTION postern.make_partition(p_class text, p_day date) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
  parent text := 'task_finished_' || p_class;
  part text := parent || '_' || to_char(p_day, 'YYYYMMDD');
BEGIN
  EXECUTE format('CREATE TABLE postern.%I (LIKE postern.%I INCLUDING DEFAULTS INCLUDING INDEXES
                  INCLUDING CONSTRAINTS)', part, parent);
  PERFORM set_config('postern.move', 'deletes', true);  -- a tenant that has left is no hindrance, see fence.sql
  EXECUTE format('WITH moved AS (DELETE FROM postern.%I WHERE finished_at >= %L AND finished_at < %L
                  RETURNING *) INSERT INTO postern.%I SELECT * FROM moved',
                 parent || '_default', p_day, p_day + 1, part);
  EXECUTE format('ALTER TABLE postern.%I ATTACH PARTITION postern.%I FOR VALUES FROM (%L) TO (%L)',
                 parent, part, p_day, p_day + 1);
  RETURN true;
EXCEPTION WHEN lock_not_available OR duplicate_table THEN
  RETURN false;
END $$;
CREATE FUNCTION postern.make_partitions(p_class text, p_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
  day date;
  made integer := 0;
BEGIN
  FOR day IN SELECT current_date + n FROM generate_series(-1, p_ahead) n LOOP
    CONTINUE WHEN to_regclass('postern.task_finished_' || p_class || '_' || to_char(day, 'YYYYMMDD')) IS NOT NULL;
    IF postern.make_partition(p_class, day) THEN
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END $$;
CREATE FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  q postern.queue;
  missing bigint;
BEGIN
  SELECT * INTO q FROM postern.queue WHERE tenant = p_tenant AND name = p_queue FOR UPDATE;
  IF NOT FOUND OR q.max_entries IS NULL THEN
    RETURN p_wanted;
  END IF;
  missing := least(p_wanted, postern.queue_depth(p_tenant, p_queue) + p_wanted - q.max_entries);
  IF missing > 0 AND q.discard_old THEN
    missing := missing
      - postern.purge_queue(p_tenant, p_queue, now(), 'cancelled', 'discarded', p_instance, missing::integer);
  END IF;
  RETURN p_wanted - greatest(0, missing);
END $$;
CREATE FUNCTION postern.move_barrier(p_tenant text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('postern.move_barrier ' || p_tenant, 0));
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;
CREATE FUNCTION postern.move_day(p_class text, p_day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
  part text := format('task_finished_%s_%s', p_class, to_char(p_day, 'YYYYMMDD'));
BEGIN
  IF p_class NOT IN ('short', 'standard') OR p_day NOT BETWEEN current_date - 3700 AND current_date + 3 THEN
    RETURN true;  -- a time that no partition is made for
  END IF;
  IF to_regclass('postern.' || part) IS NULL THEN
    PERFORM postern.make_partition(p_class, p_day);
  END IF;
  IF to_regclass('postern.' || part) IS NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('LOCK TABLE postern.%I IN ROW EXCLUSIVE MODE', part);
  RETURN true;
EXCEPTION WHEN lock_not_available OR undefined_table THEN
  RETURN false;
END $$;
CREATE FUNCTION postern.move_delete(p_tenant text, p_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  ids uuid[];
  ats timestamptz[];
  gone bigint := 0;
  n bigint;
  part text;
BEGIN
  IF NOT EXISTS (SELECT FROM postern.tenant t JOIN postern.move m ON m.tenant = t.name
                  WHERE t.name = p_tenant AND (t.state = 'moved' AND m.source AND m.step = 'deleting'
                                               OR t.state = 'arriving' AND NOT m.source AND m.step = 'undoing')) THEN
    RAISE EXCEPTION 'nothing of the tenant % is to be deleted in this cell', p_tenant USING ERRCODE = 'PM100';
  END IF;
  PERFORM set_config('postern.move', 'deletes', true);  -- see fence_deleted
  DELETE FROM postern.tenant_secret s USING postern.tenant t WHERE s.tenant = p_tenant AND t.name = p_tenant AND t.state = 'moved';
  -- What schedulers would look at again and again.
  DELETE FROM postern.schedule WHERE tenant = p_tenant;
  DELETE FROM postern.sequel WHERE tenant = p_tenant;
  ids := ARRAY(SELECT t.id FROM postern.task t WHERE t.tenant = p_tenant ORDER BY t.tenant, t.queue, uuid_send(t.id) LIMIT p_most);
  IF ids <> '{}' THEN
    -- Those whose attempt a receiver may report: each report may put the end off again, by a week at most. And those that wait for
    -- a signal, or will, whose token was given out when they were made.
    INSERT INTO postern.moved_task (task, tenant, until)
    SELECT t.id, t.tenant, interval '30 days' + CASE WHEN l.task IS NULL
             THEN greatest(t.run_at, now()) + t.hold_seconds * interval '1 second' ELSE greatest(l.until, now()) END
      FROM postern.task t LEFT JOIN postern.lease l ON l.task = t.id
     WHERE t.id = ANY(ids) AND (l.task IS NOT NULL OR t.hold_seconds > 0)
       AND EXISTS (SELECT FROM postern.tenant n WHERE n.name = p_tenant AND n.state = 'moved')
    ON CONFLICT (task) DO UPDATE SET tenant = excluded.tenant, until = excluded.until;
    DELETE FROM postern.dependency d USING (
      SELECT t.id, unnest(t.dependencies) AS waits_for FROM postern.task t WHERE t.id = ANY(ids)) o
     WHERE d.depends_on = o.waits_for AND d.task = o.id;
    DELETE FROM postern.lease l WHERE l.task = ANY(ids);
    DELETE FROM postern.task t WHERE t.id = ANY(ids);
    RETURN cardinality(ids);
  END IF;
  SELECT array_agg(f.id), array_agg(f.finished_at) INTO ids, ats
    FROM (SELECT k.id, k.finished_at FROM postern.task_finished k WHERE k.tenant = p_tenant LIMIT p_most) f;
  IF ids IS NOT NULL THEN
    DELETE FROM postern.dependency d USING unnest(ids, ats) AS n(id, at) CROSS JOIN LATERAL (
      SELECT f.id, unnest(f.dependencies) AS waits_for FROM postern.task_finished f
       WHERE f.id = n.id AND f.finished_at = n.at AND f.reason = 'unreachable' OFFSET 0) o
     WHERE d.depends_on = o.waits_for AND d.task = o.id;
    DELETE FROM postern.task_finished f
     WHERE f.tenant = p_tenant AND f.id = ANY(ids) AND f.finished_at BETWEEN (SELECT min(a) FROM unnest(ats) a)
                                                                      AND (SELECT max(a) FROM unnest(ats) a);
    RETURN cardinality(ids);
  END IF;
  FOREACH part IN ARRAY ARRAY['lease', 'idempotency_key', 'schedule_run', 'queue_minute', 'endpoint_minute', 'counter',
                              'queue_mark', 'endpoint', 'queue'] LOOP
    EXECUTE format('DELETE FROM postern.%1$I WHERE ctid = ANY(ARRAY(SELECT ctid FROM postern.%1$I WHERE tenant = $1 LIMIT $2))', part)
      USING p_tenant, p_most;
    GET DIAGNOSTICS n = ROW_COUNT;
    gone := gone + n;
    EXIT WHEN gone >= p_most;
  END LOOP;
  RETURN gone;
END $_$;
CREATE FUNCTION postern.move_fence(p_table text, p_drop boolean) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '20ms'
    AS $$
DECLARE
  leaving text[];
  arriving text[];
  columns text;
  events text;
  some_left boolean := postern.some_left();
  there text[] := ARRAY(SELECT t.tgname FROM pg_trigger t
                         WHERE t.tgrelid = ('postern.' || p_table)::regclass AND t.tgname LIKE 'fence\_%');
BEGIN
  SELECT CASE WHEN f.ignored <> '{}' THEN ' OF ' || (
           SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
            WHERE a.attrelid = ('postern.' || f.name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
              AND a.attname <> ALL(f.ignored)) ELSE '' END, f.left_events
    INTO STRICT columns, events FROM postern.fenced_tables() f WHERE f.name = p_table;
  IF there = '{}' AND NOT some_left AND NOT EXISTS (
       SELECT FROM postern.move m WHERE m.source OR m.step <> 'arrived' AND events = 'INSERT') THEN
    RETURN true;
  END IF;
  -- To drop one asks for the strongest lock. It is taken at once: whoever has looked for rows to change, and now changes them, would
  -- wait for the weaker one, and the stronger one for him.
  IF p_drop THEN
    IF NOT ('fence_left' = ANY(there) AND NOT some_left
            OR 'fence_arriving' = ANY(there) AND NOT EXISTS (SELECT FROM postern.move m WHERE NOT m.source AND m.step <> 'arrived')
            OR 'fence_written' = ANY(there) AND NOT EXISTS (SELECT FROM postern.move m WHERE m.source)) THEN
      RETURN true;
    END IF;
    EXECUTE format('LOCK TABLE postern.%I IN ACCESS EXCLUSIVE MODE', p_table);
  ELSE
    EXECUTE format('LOCK TABLE postern.%I IN SHARE ROW EXCLUSIVE MODE', p_table);
  END IF;
  -- In this order: whoever is no longer among the first has moved already.
  leaving := ARRAY(SELECT m.tenant FROM postern.move m WHERE m.source ORDER BY m.tenant);
  some_left := postern.some_left();
  -- Of keys, see refuse_arriving.
  arriving := ARRAY(SELECT m.tenant FROM postern.move m WHERE NOT m.source AND m.step <> 'arrived' AND events = 'INSERT'
                     ORDER BY m.tenant);
  IF NOT some_left THEN
    IF p_drop AND 'fence_left' = ANY(there) THEN
      EXECUTE format('DROP TRIGGER IF EXISTS fence_left ON postern.%I', p_table);
    END IF;
  ELSIF events IS NOT NULL AND 'fence_left' <> ALL(there) THEN
    EXECUTE format('CREATE OR REPLACE TRIGGER fence_left AFTER %s%s ON postern.%I FOR EACH ROW
                    WHEN (current_setting(''postern.move'', true) IS DISTINCT FROM ''copies'') EXECUTE FUNCTION postern.fence(''left'')',
                   events, CASE WHEN events LIKE '%UPDATE' THEN columns ELSE '' END, p_table);
  END IF;
  IF arriving <> '{}' AND NOT p_drop THEN
    EXECUTE format('CREATE OR REPLACE TRIGGER fence_arriving AFTER INSERT ON postern.%I FOR EACH ROW
                    WHEN (NEW.tenant = ANY(%L::text[]) AND coalesce(current_setting(''postern.move'', true), '''') NOT IN (''copies'', ''deletes''))
                    EXECUTE FUNCTION postern.fence(''arriving'')', p_table, arriving);
  ELSIF arriving = '{}' AND p_drop AND 'fence_arriving' = ANY(there) THEN
    EXECUTE format('DROP TRIGGER IF EXISTS fence_arriving ON postern.%I', p_table);
  END IF;
  IF leaving = '{}' AND (p_drop OR 'fence_written' <> ALL(there)) THEN
    IF 'fence_written' = ANY(there) THEN
      EXECUTE format('DROP TRIGGER IF EXISTS fence_written ON postern.%I', p_table);
      EXECUTE format('DROP TRIGGER IF EXISTS fence_deleted ON postern.%I', p_table);
    END IF;
    RETURN true;
  END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER fence_written AFTER INSERT OR UPDATE%s ON postern.%I FOR EACH ROW
                  WHEN (NEW.tenant = ANY(%L::text[])) EXECUTE FUNCTION postern.fence(%L)', columns, p_table, leaving, p_table);
  EXECUTE format('CREATE OR REPLACE TRIGGER fence_deleted AFTER DELETE ON postern.%I FOR EACH ROW
                  WHEN (OLD.tenant = ANY(%L::text[]) AND current_setting(''postern.move'', true) IS DISTINCT FROM ''deletes'')
                  EXECUTE FUNCTION postern.fence(%L)', p_table, leaving, p_table);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;
CREATE FUNCTION postern.move_forget(p_tenant text, p_tasks uuid[], p_finished uuid[], p_finished_at timestamp with time zone[], p_keys text[], p_schedules text[], p_nominal timestamp with time zone[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM postern.must_arrive(p_tenant);
  DELETE FROM postern.dependency d USING (
    SELECT t.id, unnest(t.dependencies) AS waits_for FROM postern.task t WHERE t.id = ANY(p_tasks) AND t.tenant = p_tenant) o
   WHERE d.depends_on = o.waits_for AND d.task = o.id;
  DELETE FROM postern.lease l WHERE l.task = ANY(p_tasks) AND l.tenant = p_tenant;
  DELETE FROM postern.task t WHERE t.id = ANY(p_tasks) AND t.tenant = p_tenant;
  DELETE FROM postern.dependency d USING unnest(p_finished, p_finished_at) AS n(id, at) CROSS JOIN LATERAL (
    SELECT f.id, unnest(f.dependencies) AS waits_for FROM postern.task_finished f
     WHERE f.id = n.id AND f.finished_at = n.at AND f.tenant = p_tenant AND f.reason = 'unreachable' OFFSET 0) o
   WHERE d.depends_on = o.waits_for AND d.task = o.id;
  FOR i IN 1 .. coalesce(cardinality(p_finished), 0) LOOP
    DELETE FROM postern.task_finished f WHERE f.id = p_finished[i] AND f.finished_at = p_finished_at[i] AND f.tenant = p_tenant;
  END LOOP;
  DELETE FROM postern.idempotency_key k WHERE k.tenant = p_tenant AND k.key = ANY(p_keys);
  DELETE FROM postern.schedule_run r USING unnest(p_schedules, p_nominal) AS n(schedule, at)
   WHERE r.tenant = p_tenant AND r.schedule = n.schedule AND r.nominal_time = n.at;
END $$;
CREATE FUNCTION postern.move_forget_minutes(p_tenant text, p_since timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM postern.must_arrive(p_tenant);
  DELETE FROM postern.queue_minute WHERE tenant = p_tenant AND minute >= p_since;
  DELETE FROM postern.endpoint_minute WHERE tenant = p_tenant AND minute >= p_since;
END $$;
CREATE FUNCTION postern.move_forget_whole(p_tenant text, p_since timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM postern.must_arrive(p_tenant);
  DELETE FROM postern.tenant_secret WHERE tenant = p_tenant;
  DELETE FROM postern.queue WHERE tenant = p_tenant;
  DELETE FROM postern.endpoint WHERE tenant = p_tenant;
  DELETE FROM postern.schedule WHERE tenant = p_tenant;
  DELETE FROM postern.api_key WHERE tenant = p_tenant;
  DELETE FROM postern.sequel WHERE tenant = p_tenant;
  DELETE FROM postern.counter WHERE tenant = p_tenant;
  DELETE FROM postern.queue_mark WHERE tenant = p_tenant;
  PERFORM postern.move_forget_minutes(p_tenant, p_since);
END $$;
CREATE FUNCTION postern.move_is_left(p_tenant text, p_updated_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT CASE WHEN pg_is_in_recovery() THEN p_updated_at < now() - interval '5 minutes'
              ELSE pg_try_advisory_xact_lock_shared(hashtextextended('postern.move ' || p_tenant, 0)) END
$$;
CREATE TABLE postern.api_key (
    hash bytea NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL COLLATE pg_catalog."C",
    sandbox boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_key_hash_length CHECK ((octet_length(hash) = 32)),
    CONSTRAINT api_key_role_known CHECK ((role = ANY (ARRAY['operator'::text, 'admin'::text, 'worker'::text, 'read'::text])))
);
CREATE FUNCTION postern.move_keys(p_tenant text) RETURNS SETOF postern.api_key
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT k.* FROM postern.api_key k WHERE k.tenant = p_tenant
     AND EXISTS (SELECT FROM postern.tenant t WHERE t.name = p_tenant AND t.state = 'fenced')
$$;
CREATE FUNCTION postern.move_leave(p_tenant text, p_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  was_before text;
BEGIN
  DELETE FROM postern.move m WHERE m.tenant = p_tenant AND m.id = p_id AND NOT m.source AND m.step = 'undoing'
  RETURNING m.was INTO was_before;
  IF FOUND THEN
    IF was_before = '' THEN
      BEGIN
        DELETE FROM postern.tenant t WHERE t.name = p_tenant AND t.state = 'arriving';
      EXCEPTION WHEN foreign_key_violation THEN
        UPDATE postern.tenant t SET state = 'here', created_at = now() WHERE t.name = p_tenant AND t.state = 'arriving';
        INSERT INTO postern.tenant_secret (tenant, secret)
        VALUES (p_tenant, 'whsec_' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'))
        ON CONFLICT (tenant) DO NOTHING;
      END;
    ELSE
      UPDATE postern.tenant t SET state = was_before WHERE t.name = p_tenant AND t.state = 'arriving';
    END IF;
  END IF;
END $$;
CREATE FUNCTION postern.move_raise(p_job_id bigint, p_key_seq bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $$
BEGIN
  ALTER SEQUENCE postern.job_id OWNED BY NONE;
  ALTER SEQUENCE postern.key_seq OWNED BY NONE;
  PERFORM setval('postern.job_id', p_job_id) FROM postern.job_id s WHERE s.last_value < p_job_id;
  PERFORM setval('postern.key_seq', p_key_seq) FROM postern.key_seq s WHERE s.last_value < p_key_seq;
END $$;
CREATE FUNCTION postern.move_writers(p_tenant text) RETURNS integer[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT ARRAY(SELECT l.pid FROM pg_locks l, hashtextextended('postern.move_barrier ' || p_tenant, 0) k
                WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
                  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                  AND l.classid::bigint = ((k >> 32) & 4294967295) AND l.objid::bigint = (k & 4294967295))
$$;
CREATE FUNCTION postern.must_arrive(p_tenant text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM FROM postern.tenant t WHERE t.name = p_tenant AND t.state = 'arriving' FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the tenant % does not arrive in this cell', p_tenant USING ERRCODE = 'PM100';
  END IF;
END $$;
CREATE FUNCTION postern.new_task_id() RETURNS uuid
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT encode(substring(int8send(made / 1000) FROM 3)
                || int2send((28672 + made % 1000 * 4 + (get_byte(random, 0) & 3))::smallint)
                || substring(random FROM 9), 'hex')::uuid
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS made,
                 uuid_send(gen_random_uuid()) AS random) AS parts
$$;
CREATE FUNCTION postern.note_sequel(t postern.task) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  INSERT INTO postern.sequel (task, tenant, queue, key, callback)
  SELECT t.id, t.tenant, t.queue, t.key, url IS NOT NULL
    FROM (SELECT CASE t.state WHEN 'completed' THEN t.on_complete_url WHEN 'failed' THEN t.on_failure_url END AS url) c
   WHERE t.key IS NOT NULL OR url IS NOT NULL
      OR EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = t.id)
$$;
CREATE FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamp with time zone, p_state text, p_reason text, p_instance uuid, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  t postern.task;
  n integer := 0;
  unrouted integer := 0;
BEGIN
  FOR t IN SELECT * FROM postern.task k
            WHERE tenant = p_tenant AND queue = p_queue AND created_at <= p_before
              AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id)
              AND (k.lane IS NOT NULL OR p_reason <> 'discarded')
            ORDER BY uuid_send(id) LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id);  -- claimed just before the lock was granted
    PERFORM postern.finish_uncounted(t, p_state, p_reason, replace(p_reason, '_', ' '));
    n := n + 1;
    unrouted := unrouted + (t.lane IS NULL)::integer;
  END LOOP;
  PERFORM postern.count_ends(p_instance, p_tenant, p_queue, 'finished_' || p_state, n, unrouted);
  RETURN n;
END $$;
CREATE FUNCTION postern.queue_depth(p_tenant text, p_queue text) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT coalesce(sum(postern.depth_change(name, value)), 0)::bigint FROM postern.counter
   WHERE tenant = p_tenant AND queue = p_queue
$$;
CREATE FUNCTION postern.recorded(p_attempts json, p_record json) RETURNS json
    LANGUAGE sql STABLE
    RETURN CASE WHEN (p_record IS NULL) THEN p_attempts WHEN (((p_attempts)::text = '[]'::text) OR (json_typeof(p_attempts) <> 'array'::text)) THEN json_build_array(p_record) WHEN (json_array_length(p_attempts) >= 100) THEN ((((p_attempts)::jsonb - 0) || (p_record)::jsonb))::json ELSE (((p_attempts)::jsonb || (p_record)::jsonb))::json END;
CREATE FUNCTION postern.refilled(p_tokens double precision, p_at timestamp with time zone, p_count integer, p_period interval, p_burst integer, OUT tokens double precision, OUT per_second double precision) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION postern.refuse_arriving() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  of_tenant text := CASE TG_OP WHEN 'DELETE' THEN OLD.tenant ELSE NEW.tenant END;
  stands text;
BEGIN
  -- The lock keeps a move from beginning before this change is seen by it.
  SELECT t.state INTO stands FROM postern.tenant t WHERE t.name = of_tenant FOR SHARE;
  IF stands = 'arriving' THEN
    RAISE EXCEPTION 'the tenant % is on its way into this cell: change its keys and secrets in the cell that it comes from, or here when it has arrived',
      of_tenant USING ERRCODE = 'PM001';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION postern.restart(t postern.task) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  UPDATE postern.task
     SET attempt_base = attempt, updated_at = now(), run_at = least(run_at, now()),
         state = CASE state WHEN 'delayed' THEN 'ready' ELSE state END,
         deadline = CASE WHEN deadline > now() THEN deadline END
   WHERE id = t.id;
  PERFORM pg_notify('postern_ready', '');
END $$;
CREATE FUNCTION postern.resting() RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN ARRAY(SELECT t.name FROM postern.tenant t WHERE t.state NOT IN ('here', 'moved')
               UNION ALL
               SELECT m.tenant FROM postern.move m WHERE m.source AND m.step = 'deleting');
END $$;
CREATE FUNCTION postern.results_of(p_tenant text, p_tasks uuid[]) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN (
    SELECT json_agg(json_build_array(f.id, replace(encode(f.result_body, 'base64'), E'\n', ''),
                                     (extract(epoch FROM least(f.finished_at, '9999-12-31 23:59:59+00')) * 1000000)::bigint))
      FROM unnest(p_tasks) AS d(id)
      CROSS JOIN LATERAL (
        SELECT * FROM postern.task_finished k
         WHERE k.id = d.id AND k.tenant = p_tenant AND k.finished_at >= postern.finished_since(d.id) AND k.state = 'completed'
        OFFSET 0) f)::text;
END $$;
CREATE FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  w uuid;
  n integer := 0;
BEGIN
  FOR w IN SELECT task FROM postern.lock_tasks(p_tenant, p_ids) LOOP
    PERFORM FROM postern.task_finished
      WHERE id = w AND finished_at >= postern.finished_since(w) AND tenant = p_tenant
        AND state = 'failed';
    CONTINUE WHEN NOT FOUND;
    PERFORM postern.retry_task(p_tenant, w, postern.finished_since(w), p_instance, NULL, '{}', '{}', '{}');
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;
CREATE FUNCTION postern.retry_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_waiting text[], p_completed text[], p_keeping text[]) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  found record;
  t postern.task;
  over postern.task_finished;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL THEN
    IF found.waits AND coalesce(p_rules, t.dialect) = ANY(p_waiting) THEN
      PERFORM postern.restart(t);
      RETURN 'done';
    END IF;
    RETURN found.state;
  END IF;
  SELECT * INTO over FROM postern.task_finished
   WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant FOR UPDATE;
  IF over.id IS NULL THEN  -- gone, or somebody else has just retried it
    RETURN (SELECT state FROM postern.task_live WHERE id = p_id AND tenant = p_tenant);
  ELSIF over.state = 'completed' AND coalesce(p_rules, over.dialect) <> ALL(p_completed) THEN
    RETURN over.state;
  END IF;
  PERFORM postern.revive(over, p_instance, coalesce(p_rules, over.dialect) = ANY(p_keeping));
  RETURN 'done';
END $$;
CREATE TABLE postern.task_finished (
    id uuid NOT NULL,
    lease uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline timestamp with time zone,
    lane bigint,
    job_id bigint,
    key_seq bigint,
    repeat_seconds bigint,
    hold_seconds bigint,
    timeout_ms integer,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 4 NOT NULL,
    result_code integer,
    result_ms integer,
    priority smallint DEFAULT 50 NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    load_results boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    dialect text DEFAULT 'native'::text NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    method text DEFAULT 'POST'::text NOT NULL,
    url text,
    endpoint text COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C",
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    body_form text DEFAULT 'payload'::text NOT NULL,
    content_type text,
    headers text,
    key text COLLATE pg_catalog."C",
    idempotency_key text,
    on_complete_url text,
    on_failure_url text,
    traceparent text,
    extra text,
    last_error text,
    tags text[],
    dependencies uuid[],
    attempts json DEFAULT '[]'::json NOT NULL,
    body bytea,
    reason text DEFAULT ''::text NOT NULL,
    retention text DEFAULT 'standard'::text NOT NULL,
    result_headers text,
    result_body bytea,
    CONSTRAINT task_finished_at_known CHECK ((finished_at IS NOT NULL)),
    CONSTRAINT task_finished_not_deferred CHECK ((NOT deferred)),
    CONSTRAINT task_finished_state_over CHECK ((state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY LIST (retention);
CREATE FUNCTION postern.revive(t postern.task_finished, p_instance uuid, p_keeps boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  waits boolean := t.dependencies IS NOT NULL OR t.key IS NOT NULL;
BEGIN
  DELETE FROM postern.task_finished WHERE id = t.id AND finished_at = t.finished_at;
  t.run_at := CASE WHEN p_keeps THEN greatest(t.run_at, now()) ELSE now() END;
  t.state := CASE WHEN waits THEN 'blocked' WHEN t.run_at > now() THEN 'delayed' ELSE 'ready' END;
  t.reason := '';
  t.attempt_base := t.attempt;
  t.updated_at := now();
  t.deadline := CASE WHEN t.deadline > now() THEN t.deadline END;
  t.finished_at := NULL;
  t.result_code := NULL;
  t.result_ms := NULL;
  t.result_headers := NULL;
  t.result_body := NULL;
  t.resolved := NULL;
  t.lease := NULL;
  INSERT INTO postern.task SELECT t.*;
  INSERT INTO postern.dependency (task, depends_on)
  SELECT DISTINCT t.id, d FROM unnest(t.dependencies) d ON CONFLICT DO NOTHING;
  IF waits OR cardinality(postern.awaited(ARRAY[t.id])) > 0 THEN
    INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
  END IF;
  IF t.lane IS NOT NULL THEN  -- otherwise routing will count it as created
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'retried');
  END IF;
  PERFORM pg_notify('postern_ready', CASE WHEN t.state <> 'ready' OR t.lane IS NULL THEN '' ELSE t.lane::text END);
END $$;
CREATE FUNCTION postern.revoke_key(p_tenant text, p_name text, p_by_operator boolean) RETURNS TABLE(name text, role text, tenant text, sandbox boolean, created_at timestamp with time zone, last_used_at timestamp with time zone, expires_at timestamp with time zone, revoked_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  UPDATE postern.api_key k SET revoked_at = now()
   WHERE k.tenant = p_tenant AND k.name = p_name AND k.revoked_at IS NULL AND (k.role <> 'operator' OR p_by_operator);
  RETURN QUERY
    SELECT k.name, k.role, k.tenant, k.sandbox, k.created_at, k.last_used_at, k.expires_at, k.revoked_at
      FROM postern.api_key k WHERE k.tenant = p_tenant AND k.name = p_name;
END $$;
CREATE FUNCTION postern.route(p_instance uuid, p_ids uuid[], p_lanes bigint[], p_urls text[], p_tenants text[], p_queues text[], p_reasons text[], p_errors text[], p_quota bigint, OUT routed bigint, OUT ended bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION postern.set_aside(p_id uuid, p_lease uuid, p_error text, p_instance uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  t postern.task;
BEGIN
  DELETE FROM postern.lease WHERE task = p_id AND lease = p_lease;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  SELECT * INTO t FROM postern.task WHERE id = p_id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  BEGIN
    t.lease := p_lease;
    PERFORM postern.finish(t, p_instance, 'failed', 'corrupt_row', p_error);
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'corrupt_rows');
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
    DELETE FROM postern.task WHERE id = p_id;
    INSERT INTO postern.task_finished (id, lease, tenant, queue, dialect, url, endpoint, state, reason, last_error, finished_at)
    VALUES (t.id, p_lease, t.tenant, t.queue, t.dialect, t.url, t.endpoint, 'failed', 'corrupt_row', p_error, now());
  END;
  RETURN true;
END $$;
CREATE FUNCTION postern.settle_deferred(p_tenant text, p_id uuid, p_since timestamp with time zone, p_lease uuid, p_instance uuid, p_state text, p_reason text, p_delay_ms bigint, p_record json, p_outcome text, p_error text, p_code integer, p_ms integer, p_headers text, p_answer bytea) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  found record;
  t postern.task;
  l postern.lease;
BEGIN
  SELECT * INTO l FROM postern.lease WHERE task = p_id AND lease = p_lease FOR UPDATE;
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF l.task IS NULL OR t.id IS NULL THEN
    RETURN found.state;
  ELSIF p_state = 'active' THEN
    IF l.until < now() THEN
      RETURN found.state;  -- the lease has expired: a scheduler may be settling the attempt
    END IF;
    UPDATE postern.lease SET until = now() + p_delay_ms * interval '1 millisecond' WHERE task = p_id;
    RETURN 'done';
  END IF;
  DELETE FROM postern.lease WHERE task = p_id;
  t.attempt := t.attempt + 1;
  t.claimed_at := l.claimed_at;
  t.resolved := l.resolved;
  t.attempts := postern.recorded(t.attempts, p_record);
  PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'attempts_' || p_outcome);
  IF p_state = 'completed' AND t.repeat_seconds IS NOT NULL THEN
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'finished_completed');
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'retried');
    t.attempt_base := t.attempt;
    t.attempts := json_build_array(p_record);
    p_delay_ms := t.repeat_seconds * 1000;
  ELSIF p_state IN ('completed', 'failed') THEN
    t.result_code := p_code;
    t.result_ms := p_ms;
    t.result_headers := p_headers;
    t.result_body := p_answer;
    t.last_error := p_error;
    t.lease := l.lease;
    PERFORM postern.finish(t, p_instance, p_state, p_reason, p_error);
    PERFORM pg_notify('postern_ready', '');
    RETURN 'done';
  END IF;
  UPDATE postern.task
     SET state = CASE WHEN p_delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
         run_at = now() + p_delay_ms * interval '1 millisecond', attempt = t.attempt, attempt_base = t.attempt_base,
         attempts = t.attempts, last_error = p_error, claimed_at = t.claimed_at, resolved = t.resolved, updated_at = now()
   WHERE id = p_id;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;
CREATE FUNCTION postern.some_left() RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT count(*) > 0 FROM (SELECT FROM postern.tenant t WHERE t.state = 'moved' ORDER BY t.moved_at LIMIT 1) m
$$;
CREATE FUNCTION postern.spend(p_tenant text, p_queue text, p_endpoint text, p_count integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) RETURNS uuid
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT id FROM postern.task WHERE job_id = p_job_id AND tenant = p_tenant
  UNION ALL
  SELECT id FROM postern.task_finished WHERE job_id = p_job_id AND tenant = p_tenant LIMIT 1
$$;
CREATE FUNCTION postern.total_change(p_name text, p_value bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (p_name = 'created'::text) THEN p_value WHEN (p_name = ANY (ARRAY['deleted'::text, 'forgotten'::text])) THEN (- p_value) ELSE (0)::bigint END;
CREATE FUNCTION postern.url_parts(p_url text) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
  SELECT regexp_match(
    p_url, '^(https?)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?](?:[!"$&-\[\]-~]|%[0-9a-f]{2})*)?(?:#[!-\[\]-~]*)?$', 'i')
$_$;
CREATE FUNCTION postern.wake(p_instance uuid, p_sequels bigint[], p_most integer, OUT done bigint[], OUT lanes bigint[], OUT later boolean, OUT busy boolean) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  s postern.sequel;
  t postern.task;
  f postern.task_finished;
  of_tenant text;
  share integer;
  looks integer;
  dependents uuid[];
  looked uuid[] := '{}';
  held uuid[] := '{}';
  deps record;
  away text[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.wake', 0)) THEN
    RETURN;
  END IF;
  done := '{}';
  away := postern.resting();
  lanes := '{}';
  later := false;
  share := greatest(1, p_most / greatest(1, (
    SELECT count(DISTINCT q.tenant) FROM postern.sequel q WHERE q.id = ANY(p_sequels) AND q.tenant <> ALL(away))));
  FOR s IN
    SELECT * FROM postern.sequel q WHERE q.id = ANY(p_sequels) AND q.tenant <> ALL(away) ORDER BY q.tenant, q.id
  LOOP
    IF s.tenant IS DISTINCT FROM of_tenant THEN
      of_tenant := s.tenant;
      looks := share;
    END IF;
    CONTINUE WHEN looks <= 0;
    dependents := ARRAY(
      SELECT d.task FROM postern.dependency d
       WHERE d.depends_on = s.task AND d.task > s.past ORDER BY d.task LIMIT looks);
    IF cardinality(dependents) = looks THEN
      INSERT INTO postern.sequel (task, tenant, queue, past) VALUES (s.task, s.tenant, s.queue, dependents[looks]);
    END IF;
    looks := looks - 1 - cardinality(dependents);
    looked := looked || s.task || dependents;
    IF s.key IS NOT NULL THEN
      looked := looked || ARRAY(
        SELECT b.id FROM postern.task b
         WHERE b.tenant = s.tenant AND b.queue = s.queue AND b.key = s.key AND b.state = 'blocked'
         ORDER BY b.key_seq LIMIT 1);
    END IF;
    done := done || s.id;
  END LOOP;
  held := ARRAY(SELECT n.id FROM unnest(looked) AS n(id)
                 WHERE (SELECT k.state FROM postern.task k WHERE k.id = n.id) = 'blocked');
  FOR t IN SELECT * FROM postern.task k WHERE k.state = 'blocked' AND k.id = ANY(looked) ORDER BY k.id FOR UPDATE SKIP LOCKED LOOP
    held := array_remove(held, t.id);
    IF t.dependencies IS NOT NULL THEN
      deps := postern.weigh_dependencies(t.tenant, t.dependencies);
      IF deps.unsure THEN
        held := held || t.id;
        CONTINUE;
      ELSIF deps.broken THEN
        PERFORM postern.finish(t, p_instance, 'failed', 'unreachable', 'a task it depends on did not complete');
        CONTINUE;
      END IF;
      CONTINUE WHEN deps.live > 0;
    END IF;
    -- Two questions with an index each, since a key may have any number of tasks; the first in an order that only its own has.
    CONTINUE WHEN t.key IS NOT NULL AND (
      t.key_seq > (SELECT o.key_seq FROM postern.task o
                    WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.key = t.key ORDER BY o.key_seq LIMIT 1)
      OR EXISTS (SELECT FROM postern.task o
                  WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.key = t.key AND o.state <> 'blocked'));
    -- It is due from now on: its lane goes by starts, and claims do not look behind them.
    UPDATE postern.task
       SET state = CASE WHEN run_at > now() THEN 'delayed' ELSE 'ready' END, run_at = greatest(run_at, now()), updated_at = now()
     WHERE id = t.id
    RETURNING * INTO t;
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
    IF t.state = 'ready' AND t.lane IS NOT NULL THEN
      lanes := lanes || t.lane;
    ELSE
      later := true;
    END IF;
  END LOOP;
  FOR f IN SELECT o.* FROM unnest(looked) AS n(id) CROSS JOIN LATERAL (
             SELECT * FROM postern.task_finished k
              WHERE k.id = n.id AND k.finished_at >= postern.finished_since(n.id) AND k.reason = 'unreachable' OFFSET 0) o
            WHERE o.updated_at <> now() LOOP  -- what has just ended so is not looked at again
    deps := postern.weigh_dependencies(f.tenant, f.dependencies);
    CONTINUE WHEN deps.broken AND NOT deps.unsure;
    PERFORM FROM postern.task_finished k
      WHERE k.id = f.id AND k.finished_at = f.finished_at FOR UPDATE SKIP LOCKED;
    IF deps.unsure OR NOT FOUND THEN
      held := held || f.id;
      CONTINUE;
    END IF;
    PERFORM postern.revive(f, p_instance, false);
  END LOOP;
  busy := cardinality(held) > 0;
  INSERT INTO postern.sequel (task, tenant, queue, key)
  SELECT n.id, k.tenant, k.queue, k.key FROM (SELECT DISTINCT id FROM unnest(held) AS h(id)) n CROSS JOIN LATERAL (
    SELECT a.tenant, a.queue, a.key FROM postern.task a WHERE a.id = n.id
    UNION ALL
    SELECT a.tenant, a.queue, a.key FROM postern.task_finished a
     WHERE a.id = n.id AND a.finished_at >= postern.finished_since(n.id) OFFSET 0) k;
END $$;
CREATE FUNCTION postern.weigh_dependencies(p_tenant text, p_ids uuid[], OUT live integer, OUT broken boolean, OUT unsure boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  failed uuid[];
  gone boolean;
BEGIN
  SELECT count(l.id), array_agg(f.id) FILTER (WHERE l.id IS NULL AND f.state <> 'completed'),
         coalesce(bool_or(l.id IS NULL AND f.id IS NULL), false)
    INTO live, failed, gone
    FROM unnest(p_ids) AS d(id)
    LEFT JOIN LATERAL (SELECT k.id FROM postern.task k WHERE k.id = d.id AND k.tenant = p_tenant OFFSET 0) l ON true
    LEFT JOIN LATERAL (
      SELECT k.id, k.state FROM postern.task_finished k
       WHERE k.id = d.id AND k.tenant = p_tenant AND k.finished_at >= postern.finished_since(d.id) OFFSET 0) f ON true;
  broken := gone OR failed IS NOT NULL;
  unsure := false;
  IF failed IS NOT NULL AND NOT gone THEN
    unsure := NOT EXISTS (
      SELECT FROM unnest(failed) AS d(id) CROSS JOIN LATERAL (
        SELECT FROM postern.task_finished k
         WHERE k.id = d.id AND k.finished_at >= postern.finished_since(d.id) FOR KEY SHARE SKIP LOCKED) f);
  ELSIF live > 0 AND NOT broken THEN
    unsure := live > (SELECT count(*) FROM (
      SELECT FROM postern.task l WHERE l.id = ANY(p_ids) AND l.tenant = p_tenant FOR KEY SHARE SKIP LOCKED) k);
  END IF;
END $$;
CREATE FUNCTION postern.wrong_content_type(p_type text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
BEGIN
  IF p_type <> '' AND (octet_length(p_type) > 256
                       OR p_type !~ '^[0-9A-Za-z!#$&^_.+-]+/[0-9A-Za-z!#$&^_.+-]+([; ][ -~]*)?$') THEN
    RETURN 'content_type: must be a media type such as "text/plain; charset=utf-8", in ASCII, of at most 256 bytes';
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION postern.wrong_headers(p_headers jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
DECLARE
  reserved constant text[] := '{host,content-length,transfer-encoding,connection,te,expect,upgrade,trailer,keep-alive,http2-settings}';
  h record;
  folded text;
  names text[] := '{}';
  total bigint := 0;
BEGIN
  IF jsonb_typeof(p_headers) <> 'object' OR jsonb_path_exists(p_headers, '$.* ? (@.type() != "string")') THEN
    RETURN 'headers: must be an object of strings';
  END IF;
  FOR h IN SELECT key AS name, value FROM jsonb_each_text(p_headers) LOOP
    folded := regexp_replace(lower(h.name), '[^a-z0-9]', '-', 'g');
    IF h.name !~ '^[0-9A-Za-z!#$%&''*+.^_`|~-]+$' OR octet_length(h.name) > 256 THEN
      RETURN 'headers: a name must be 1 to 256 letters, digits or any of !#$%&''*+-.^_`|~';
    ELSIF folded = ANY(reserved) OR folded ~ '^(proxy|webhook|postern|aj|x-asyncqueue)-' THEN
      RETURN format('headers: %s is set by the connection or by Postern; it must be left out', h.name);
    ELSIF h.value ~ '[\u0001-\u0008\u000a-\u001f\u007f]' OR octet_length(h.value) > 4096 THEN
      RETURN format('headers: the value of %s must have no control bytes but tabs, and at most 4096 bytes', h.name);
    ELSIF lower(h.name) = ANY(names) THEN
      RETURN format('headers: %s must be given once', h.name);
    END IF;
    names := names || lower(h.name);
    total := total + octet_length(h.name) + octet_length(h.value);
  END LOOP;
  IF cardinality(names) > 50 OR total > 8192 THEN
    RETURN 'headers: must be at most 50, and 8192 bytes together';
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION postern.wrong_payload(p_payload jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
BEGIN
  IF jsonb_typeof(p_payload) <> 'object' THEN
    RETURN 'payload: must be a JSON object';
  ELSIF jsonb_path_exists(p_payload, 'strict $.**{63} ? (@.type() == "object" || @.type() == "array")') THEN
    RETURN 'payload: must be nested at most 63 levels deep';
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION postern.wrong_retry_policy(p_policy text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
DECLARE
  must constant text := 'retry_policy: must be exponential, linear, fixed, none, standard, default, 10m, 1h, 1m, '
                        '{"intervals": [1 to 100 numbers of seconds, 0 to 2592000], "jitter": 0 to 1} or the like';
  policy jsonb;
BEGIN
  IF p_policy IN ('none', 'exponential', 'taskmq-exponential', 'linear', 'fixed', 'taskmq-fixed', 'standard', 'default',
                  '10m', '1h', '1m') THEN
    RETURN NULL;
  ELSIF p_policy NOT LIKE '{%' THEN
    RETURN must;
  END IF;
  policy := p_policy::jsonb;
  IF (SELECT count(*) FROM json_object_keys(p_policy::json)) > (SELECT count(*) FROM jsonb_object_keys(policy))
     OR policy - '{intervals,jitter}'::text[] <> '{}'
     OR jsonb_typeof(policy -> 'intervals') IS DISTINCT FROM 'array'
     OR jsonb_array_length(policy -> 'intervals') NOT BETWEEN 1 AND 100
     OR jsonb_path_exists(policy -> 'intervals', 'strict $[*] ? (@.type() != "number")')
     OR jsonb_typeof(policy -> 'jitter') <> 'number' THEN
    RETURN must;
  -- Numbers are kept as doubles: one that is none, for being too small, raises an error.
  ELSIF EXISTS (SELECT FROM jsonb_array_elements_text(policy -> 'intervals') s WHERE s::double precision NOT BETWEEN 0 AND 2592000)
        OR (policy ->> 'jitter')::double precision NOT BETWEEN 0 AND 1 THEN
    RETURN must;
  END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN must;
END $_$;
CREATE FUNCTION postern.wrong_tags(p_tags text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
BEGIN
  IF array_ndims(p_tags) > 1 OR cardinality(p_tags) > 16 THEN
    RETURN 'tags: must be a list of at most 16';
  ELSIF EXISTS (SELECT FROM unnest(p_tags) tag WHERE (tag ~ '^[!-+\x2d-~]{1,64}$') IS NOT TRUE) THEN
    RETURN 'tags: a tag must be 1 to 64 printable ASCII characters without space or comma';
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION postern.wrong_url(p_url text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET standard_conforming_strings TO 'on'
    AS $_$
DECLARE
  must constant text := 'url: must be an absolute http or https URL without userinfo, at most 2048 bytes';
  parts text[] := postern.url_parts(p_url);
  host text := lower(parts[2]);
BEGIN
  IF parts IS NULL OR octet_length(p_url) > 2048 THEN
    RETURN must;
  ELSIF substr(parts[3], 2)::integer NOT BETWEEN 1 AND 65535 THEN
    RETURN 'url: its port must be 1 to 65535';
  ELSIF left(host, 1) = '[' THEN
    BEGIN
      IF family(trim(host, '[]')::inet) <> 6 THEN
        RETURN must || '; what stands in brackets is not an IPv6 address';
      END IF;
    EXCEPTION WHEN data_exception THEN
      RETURN must || '; what stands in brackets is not an IPv6 address';
    END;
  ELSIF length(host) > 253 OR host !~ '^([^.]{1,63}\.)*[^.]{1,63}$' THEN
    RETURN 'url: its host must have at most 253 bytes, in labels of 1 to 63';
  ELSIF host ~ '(^|\.)([0-9]+|0x[0-9a-f]*)$'
        AND host !~ '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.|$)){4}$' THEN
    RETURN 'url: its host looks like an IPv4 address but is not four decimal numbers without leading zeros';
  END IF;
  RETURN CASE WHEN octet_length(postern.canonical_url(p_url)) > 2048 THEN must END;
END $_$;
CREATE TABLE postern.applied (
    name text NOT NULL,
    sha256 text NOT NULL,
    release integer NOT NULL,
    min_program integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE postern.counted_minute (
    minute timestamp with time zone NOT NULL
);
CREATE TABLE postern.counter (
    instance uuid NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    value bigint NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
CREATE TABLE postern.dependency (
    task uuid NOT NULL,
    depends_on uuid NOT NULL
);
CREATE TABLE postern.endpoint_minute (
    tenant text NOT NULL COLLATE pg_catalog."C",
    endpoint text NOT NULL COLLATE pg_catalog."C",
    minute timestamp with time zone NOT NULL,
    instance uuid NOT NULL,
    attempts bigint NOT NULL,
    failed bigint NOT NULL,
    durations bigint[] NOT NULL
);
CREATE TABLE postern.idempotency_key (
    tenant text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    task uuid NOT NULL,
    request_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE postern.instance (
    id uuid NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    beat_at timestamp with time zone DEFAULT now() NOT NULL,
    beat bigint DEFAULT 0 NOT NULL,
    gauges jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT instance_program_known CHECK ((program = ANY (ARRAY['postern-fcgi'::text, 'postern-scheduler'::text])))
)
WITH (fillfactor='50');
CREATE SEQUENCE postern.job_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE postern.key_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE postern.lane (
    id bigint NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    target text NOT NULL COLLATE pg_catalog."C",
    used_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE postern.lease (
    task uuid NOT NULL,
    lease uuid NOT NULL,
    instance uuid,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    until timestamp with time zone NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C"
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');
CREATE TABLE postern.minute_pass (
    one boolean DEFAULT true NOT NULL,
    minute timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    step_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    marks_only boolean DEFAULT true NOT NULL,
    done boolean DEFAULT true NOT NULL,
    tenant text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    queue text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT minute_pass_one CHECK (one)
)
WITH (fillfactor='50');
CREATE TABLE postern.move (
    tenant text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    source boolean NOT NULL,
    other text NOT NULL COLLATE pg_catalog."C",
    step text NOT NULL COLLATE pg_catalog."C",
    was text DEFAULT ''::text NOT NULL,
    place text[] DEFAULT '{}'::text[] NOT NULL,
    rows bigint DEFAULT 0 NOT NULL,
    rounds bigint DEFAULT 0 NOT NULL,
    other_system bigint DEFAULT 0 NOT NULL,
    other_timeline bigint DEFAULT 0 NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT move_step_known CHECK ((step = ANY (ARRAY['copying'::text, 'copied'::text, 'arrived'::text, 'deleting'::text, 'undoing'::text])))
);
CREATE TABLE postern.move_change (
    id bigint NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    kind "char" NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone
);
ALTER TABLE postern.move_change ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME postern.move_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE postern.moved_task (
    task uuid NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    until timestamp with time zone NOT NULL
);
CREATE TABLE postern.queue (
    tenant text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    discard_old boolean DEFAULT false NOT NULL,
    max_age interval,
    max_entries bigint,
    max_tries integer,
    max_retries integer DEFAULT 3 NOT NULL,
    max_runtime interval,
    max_concurrent integer,
    timeout_ms integer DEFAULT 30000 NOT NULL,
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    endpoint text COLLATE pg_catalog."C",
    rate_count integer,
    rate_period interval,
    rate_burst integer,
    rate_tokens double precision,
    rate_at timestamp with time zone,
    retention_completed text DEFAULT 'standard'::text NOT NULL,
    retention_failed text DEFAULT 'standard'::text NOT NULL,
    retention_cancelled text DEFAULT 'standard'::text NOT NULL,
    CONSTRAINT queue_name_shape CHECK ((name ~ '^[a-zA-Z0-9_:-]{1,64}$'::text)),
    CONSTRAINT queue_ranges CHECK ((((max_retries >= 0) AND (max_retries <= 100)) AND (max_tries >= 1) AND (max_entries >= 0) AND (max_concurrent >= 1) AND ((timeout_ms >= 1000) AND (timeout_ms <= 1800000)) AND (max_age > '00:00:00'::interval) AND (max_age <= '300 years'::interval) AND (max_runtime > '00:00:00'::interval) AND (max_runtime <= '24:00:00'::interval))),
    CONSTRAINT queue_rate_range CHECK ((((rate_count IS NULL) = (rate_period IS NULL)) AND ((rate_count >= 1) AND (rate_count <= 1000000)) AND ((rate_period >= '00:00:01'::interval) AND (rate_period <= '1 day'::interval)) AND ((rate_burst >= 1) AND (rate_burst <= 1000000)) AND ((rate_tokens >= ('-1000000'::integer)::double precision) AND (rate_tokens <= (1000000)::double precision)) AND ((rate_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (rate_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)))),
    CONSTRAINT queue_retention_known CHECK (((retention_completed = ANY (ARRAY['short'::text, 'standard'::text])) AND (retention_failed = ANY (ARRAY['short'::text, 'standard'::text])) AND (retention_cancelled = ANY (ARRAY['short'::text, 'standard'::text]))))
)
WITH (fillfactor='50');
CREATE TABLE postern.queue_gauge (
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    seen_at timestamp with time zone NOT NULL,
    ready bigint NOT NULL,
    delayed bigint NOT NULL,
    active bigint NOT NULL,
    blocked bigint NOT NULL,
    estimated boolean NOT NULL,
    oldest_due timestamp with time zone,
    lanes bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE postern.queue_mark (
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    cancelled bigint NOT NULL,
    attempts bigint NOT NULL,
    attempts_failed bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE postern.queue_minute (
    minute timestamp with time zone NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    cancelled bigint NOT NULL,
    attempts bigint NOT NULL,
    attempts_failed bigint NOT NULL,
    queues integer DEFAULT 0 NOT NULL,
    left_out boolean DEFAULT false NOT NULL
);
CREATE TABLE postern.role_tenant (
    role name NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE postern.schedule (
    tenant text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    spec text NOT NULL,
    interval_seconds bigint,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    dialect text DEFAULT 'native'::text NOT NULL,
    task text NOT NULL,
    misfire text DEFAULT 'last'::text NOT NULL,
    misfire_limit integer DEFAULT 10 NOT NULL,
    misfire_window interval DEFAULT '01:00:00'::interval NOT NULL,
    overlap text DEFAULT 'allow'::text NOT NULL,
    jitter interval DEFAULT '00:00:00'::interval NOT NULL,
    deadline_offset interval,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    next_at timestamp with time zone,
    last_at timestamp with time zone,
    last_task uuid,
    paused boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schedule_misfire_known CHECK ((misfire = ANY (ARRAY['skip'::text, 'last'::text, 'all'::text]))),
    CONSTRAINT schedule_misfire_limit_range CHECK (((misfire_limit >= 1) AND (misfire_limit <= 100))),
    CONSTRAINT schedule_name_shape CHECK ((name ~ '^[a-zA-Z0-9_:-]{1,128}$'::text)),
    CONSTRAINT schedule_overlap_known CHECK ((overlap = ANY (ARRAY['allow'::text, 'skip'::text]))),
    CONSTRAINT schedule_spans_range CHECK ((((interval_seconds >= 1) AND (interval_seconds <= 316224000)) AND ((misfire_window >= '00:00:00'::interval) AND (misfire_window <= '30 days'::interval)) AND ((jitter >= '00:00:00'::interval) AND (jitter <= '1 day'::interval)) AND ((deadline_offset >= '00:00:30'::interval) AND (deadline_offset <= '3660 days'::interval)))),
    CONSTRAINT schedule_times_range CHECK ((((starts_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (starts_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((ends_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (ends_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((next_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (next_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((last_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (last_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))))
);
CREATE TABLE postern.schedule_run (
    tenant text NOT NULL COLLATE pg_catalog."C",
    schedule text NOT NULL,
    nominal_time timestamp with time zone NOT NULL,
    fired_at timestamp with time zone DEFAULT now() NOT NULL,
    task uuid,
    skipped text
);
CREATE TABLE postern.sequel (
    id bigint NOT NULL,
    task uuid NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    key text COLLATE pg_catalog."C",
    callback boolean DEFAULT false NOT NULL,
    past uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
ALTER TABLE postern.sequel ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME postern.sequel_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE postern.setting (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL
);
CREATE VIEW postern.task_live AS
 SELECT t.id,
    l.lease,
    t.created_at,
    COALESCE(l.claimed_at, t.updated_at) AS updated_at,
    t.run_at,
    COALESCE(l.claimed_at, t.claimed_at) AS claimed_at,
    t.finished_at,
    t.deadline,
    t.lane,
    t.job_id,
    t.key_seq,
    t.repeat_seconds,
    t.hold_seconds,
    t.timeout_ms,
        CASE
            WHEN (l.task IS NULL) THEN t.attempt
            ELSE (LEAST(t.attempt, 2147483646) + 1)
        END AS attempt,
    t.attempt_base,
    t.max_attempts,
    t.result_code,
    t.result_ms,
    t.priority,
    COALESCE(l.deferred, false) AS deferred,
    t.load_results,
        CASE
            WHEN (l.task IS NULL) THEN t.state
            ELSE 'active'::text
        END AS state,
    t.dialect,
    t.tenant,
    t.queue,
    t.method,
    t.url,
    t.endpoint,
        CASE
            WHEN (l.task IS NULL) THEN t.resolved
            ELSE l.resolved
        END AS resolved,
    t.retry_policy,
    t.body_form,
    t.content_type,
    t.headers,
    t.key,
    t.idempotency_key,
    t.on_complete_url,
    t.on_failure_url,
    t.traceparent,
    t.extra,
    t.last_error,
    t.tags,
    t.dependencies,
    t.attempts,
    t.body,
    t.reason,
    t.retention,
    t.result_headers,
    t.result_body
   FROM (postern.task t
     LEFT JOIN postern.lease l ON ((l.task = t.id)));
CREATE VIEW postern.task_all AS
 SELECT task_live.id,
    task_live.lease,
    task_live.created_at,
    task_live.updated_at,
    task_live.run_at,
    task_live.claimed_at,
    task_live.finished_at,
    task_live.deadline,
    task_live.lane,
    task_live.job_id,
    task_live.key_seq,
    task_live.repeat_seconds,
    task_live.hold_seconds,
    task_live.timeout_ms,
    task_live.attempt,
    task_live.attempt_base,
    task_live.max_attempts,
    task_live.result_code,
    task_live.result_ms,
    task_live.priority,
    task_live.deferred,
    task_live.load_results,
    task_live.state,
    task_live.dialect,
    task_live.tenant,
    task_live.queue,
    task_live.method,
    task_live.url,
    task_live.endpoint,
    task_live.resolved,
    task_live.retry_policy,
    task_live.body_form,
    task_live.content_type,
    task_live.headers,
    task_live.key,
    task_live.idempotency_key,
    task_live.on_complete_url,
    task_live.on_failure_url,
    task_live.traceparent,
    task_live.extra,
    task_live.last_error,
    task_live.tags,
    task_live.dependencies,
    task_live.attempts,
    task_live.body,
    task_live.reason,
    task_live.retention,
    task_live.result_headers,
    task_live.result_body
   FROM postern.task_live
UNION ALL
 SELECT task_finished.id,
    task_finished.lease,
    task_finished.created_at,
    task_finished.updated_at,
    task_finished.run_at,
    task_finished.claimed_at,
    task_finished.finished_at,
    task_finished.deadline,
    task_finished.lane,
    task_finished.job_id,
    task_finished.key_seq,
    task_finished.repeat_seconds,
    task_finished.hold_seconds,
    task_finished.timeout_ms,
    task_finished.attempt,
    task_finished.attempt_base,
    task_finished.max_attempts,
    task_finished.result_code,
    task_finished.result_ms,
    task_finished.priority,
    task_finished.deferred,
    task_finished.load_results,
    task_finished.state,
    task_finished.dialect,
    task_finished.tenant,
    task_finished.queue,
    task_finished.method,
    task_finished.url,
    task_finished.endpoint,
    task_finished.resolved,
    task_finished.retry_policy,
    task_finished.body_form,
    task_finished.content_type,
    task_finished.headers,
    task_finished.key,
    task_finished.idempotency_key,
    task_finished.on_complete_url,
    task_finished.on_failure_url,
    task_finished.traceparent,
    task_finished.extra,
    task_finished.last_error,
    task_finished.tags,
    task_finished.dependencies,
    task_finished.attempts,
    task_finished.body,
    task_finished.reason,
    task_finished.retention,
    task_finished.result_headers,
    task_finished.result_body
   FROM postern.task_finished;
CREATE TABLE postern.task_finished_short (
    id uuid NOT NULL,
    lease uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline timestamp with time zone,
    lane bigint,
    job_id bigint,
    key_seq bigint,
    repeat_seconds bigint,
    hold_seconds bigint,
    timeout_ms integer,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 4 NOT NULL,
    result_code integer,
    result_ms integer,
    priority smallint DEFAULT 50 NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    load_results boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    dialect text DEFAULT 'native'::text NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    method text DEFAULT 'POST'::text NOT NULL,
    url text,
    endpoint text COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C",
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    body_form text DEFAULT 'payload'::text NOT NULL,
    content_type text,
    headers text,
    key text COLLATE pg_catalog."C",
    idempotency_key text,
    on_complete_url text,
    on_failure_url text,
    traceparent text,
    extra text,
    last_error text,
    tags text[],
    dependencies uuid[],
    attempts json DEFAULT '[]'::json NOT NULL,
    body bytea,
    reason text DEFAULT ''::text NOT NULL,
    retention text DEFAULT 'standard'::text NOT NULL,
    result_headers text,
    result_body bytea,
    CONSTRAINT task_finished_at_known CHECK ((finished_at IS NOT NULL)),
    CONSTRAINT task_finished_not_deferred CHECK ((NOT deferred)),
    CONSTRAINT task_finished_state_over CHECK ((state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_short_default (
    id uuid NOT NULL,
    lease uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline timestamp with time zone,
    lane bigint,
    job_id bigint,
    key_seq bigint,
    repeat_seconds bigint,
    hold_seconds bigint,
    timeout_ms integer,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 4 NOT NULL,
    result_code integer,
    result_ms integer,
    priority smallint DEFAULT 50 NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    load_results boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    dialect text DEFAULT 'native'::text NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    method text DEFAULT 'POST'::text NOT NULL,
    url text,
    endpoint text COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C",
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    body_form text DEFAULT 'payload'::text NOT NULL,
    content_type text,
    headers text,
    key text COLLATE pg_catalog."C",
    idempotency_key text,
    on_complete_url text,
    on_failure_url text,
    traceparent text,
    extra text,
    last_error text,
    tags text[],
    dependencies uuid[],
    attempts json DEFAULT '[]'::json NOT NULL,
    body bytea,
    reason text DEFAULT ''::text NOT NULL,
    retention text DEFAULT 'standard'::text NOT NULL,
    result_headers text,
    result_body bytea,
    CONSTRAINT task_finished_at_known CHECK ((finished_at IS NOT NULL)),
    CONSTRAINT task_finished_not_deferred CHECK ((NOT deferred)),
    CONSTRAINT task_finished_state_over CHECK ((state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))
);
CREATE TABLE postern.task_finished_standard (
    id uuid NOT NULL,
    lease uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline timestamp with time zone,
    lane bigint,
    job_id bigint,
    key_seq bigint,
    repeat_seconds bigint,
    hold_seconds bigint,
    timeout_ms integer,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 4 NOT NULL,
    result_code integer,
    result_ms integer,
    priority smallint DEFAULT 50 NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    load_results boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    dialect text DEFAULT 'native'::text NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    method text DEFAULT 'POST'::text NOT NULL,
    url text,
    endpoint text COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C",
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    body_form text DEFAULT 'payload'::text NOT NULL,
    content_type text,
    headers text,
    key text COLLATE pg_catalog."C",
    idempotency_key text,
    on_complete_url text,
    on_failure_url text,
    traceparent text,
    extra text,
    last_error text,
    tags text[],
    dependencies uuid[],
    attempts json DEFAULT '[]'::json NOT NULL,
    body bytea,
    reason text DEFAULT ''::text NOT NULL,
    retention text DEFAULT 'standard'::text NOT NULL,
    result_headers text,
    result_body bytea,
    CONSTRAINT task_finished_at_known CHECK ((finished_at IS NOT NULL)),
    CONSTRAINT task_finished_not_deferred CHECK ((NOT deferred)),
    CONSTRAINT task_finished_state_over CHECK ((state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_standard_default (
    id uuid NOT NULL,
    lease uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    finished_at timestamp with time zone,
    deadline timestamp with time zone,
    lane bigint,
    job_id bigint,
    key_seq bigint,
    repeat_seconds bigint,
    hold_seconds bigint,
    timeout_ms integer,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 4 NOT NULL,
    result_code integer,
    result_ms integer,
    priority smallint DEFAULT 50 NOT NULL,
    deferred boolean DEFAULT false NOT NULL,
    load_results boolean DEFAULT false NOT NULL,
    state text NOT NULL,
    dialect text DEFAULT 'native'::text NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL COLLATE pg_catalog."C",
    method text DEFAULT 'POST'::text NOT NULL,
    url text,
    endpoint text COLLATE pg_catalog."C",
    resolved text COLLATE pg_catalog."C",
    retry_policy text DEFAULT 'exponential'::text NOT NULL,
    body_form text DEFAULT 'payload'::text NOT NULL,
    content_type text,
    headers text,
    key text COLLATE pg_catalog."C",
    idempotency_key text,
    on_complete_url text,
    on_failure_url text,
    traceparent text,
    extra text,
    last_error text,
    tags text[],
    dependencies uuid[],
    attempts json DEFAULT '[]'::json NOT NULL,
    body bytea,
    reason text DEFAULT ''::text NOT NULL,
    retention text DEFAULT 'standard'::text NOT NULL,
    result_headers text,
    result_body bytea,
    CONSTRAINT task_finished_at_known CHECK ((finished_at IS NOT NULL)),
    CONSTRAINT task_finished_not_deferred CHECK ((NOT deferred)),
    CONSTRAINT task_finished_state_over CHECK ((state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))
);
CREATE TABLE postern.tenant (
    name text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'here'::text NOT NULL,
    moved_to text COLLATE pg_catalog."C",
    moved_url text,
    moved_at timestamp with time zone,
    CONSTRAINT tenant_moved_says_where CHECK (((state <> 'moved'::text) OR (num_nulls(moved_to, moved_url, moved_at) = 0))),
    CONSTRAINT tenant_name_shape CHECK ((name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text)),
    CONSTRAINT tenant_state_known CHECK ((state = ANY (ARRAY['here'::text, 'arriving'::text, 'draining'::text, 'fenced'::text, 'moved'::text])))
);
CREATE TABLE postern.tenant_gauge (
    tenant text NOT NULL COLLATE pg_catalog."C",
    waiting bigint NOT NULL,
    lanes bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE postern.tenant_secret (
    tenant text NOT NULL COLLATE pg_catalog."C",
    secret text NOT NULL,
    previous text,
    previous_until timestamp with time zone,
    CONSTRAINT tenant_secret_previous_has_end CHECK (((previous IS NULL) = (previous_until IS NULL))),
    CONSTRAINT tenant_secret_shape CHECK ((secret ~~ 'whsec\_%'::text))
);
ALTER TABLE ONLY postern.task_finished ATTACH PARTITION postern.task_finished_short FOR VALUES IN ('short');
ALTER TABLE ONLY postern.task_finished_short ATTACH PARTITION postern.task_finished_short_default DEFAULT;
ALTER TABLE ONLY postern.task_finished ATTACH PARTITION postern.task_finished_standard FOR VALUES IN ('standard');
ALTER TABLE ONLY postern.task_finished_standard ATTACH PARTITION postern.task_finished_standard_default DEFAULT;
ALTER TABLE ONLY postern.api_key
    ADD CONSTRAINT api_key_name_once UNIQUE (tenant, name);
ALTER TABLE ONLY postern.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY postern.applied
    ADD CONSTRAINT applied_pkey PRIMARY KEY (name);
ALTER TABLE ONLY postern.counted_minute
    ADD CONSTRAINT counted_minute_pkey PRIMARY KEY (minute);
ALTER TABLE ONLY postern.counter
    ADD CONSTRAINT counter_pkey PRIMARY KEY (tenant, queue, name, instance);
ALTER TABLE ONLY postern.dependency
    ADD CONSTRAINT dependency_pkey PRIMARY KEY (depends_on, task);
ALTER TABLE ONLY postern.endpoint_minute
    ADD CONSTRAINT endpoint_minute_pkey PRIMARY KEY (tenant, endpoint, minute, instance);
ALTER TABLE ONLY postern.endpoint
    ADD CONSTRAINT endpoint_pkey PRIMARY KEY (tenant, name);
ALTER TABLE ONLY postern.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant, key);
ALTER TABLE ONLY postern.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (id);
ALTER TABLE ONLY postern.lane
    ADD CONSTRAINT lane_pkey PRIMARY KEY (id);
ALTER TABLE ONLY postern.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (task);
ALTER TABLE ONLY postern.minute_pass
    ADD CONSTRAINT minute_pass_pkey PRIMARY KEY (one);
ALTER TABLE ONLY postern.move_change
    ADD CONSTRAINT move_change_pkey PRIMARY KEY (id);
ALTER TABLE ONLY postern.move
    ADD CONSTRAINT move_pkey PRIMARY KEY (tenant);
ALTER TABLE ONLY postern.moved_task
    ADD CONSTRAINT moved_task_pkey PRIMARY KEY (task);
ALTER TABLE ONLY postern.queue_gauge
    ADD CONSTRAINT queue_gauge_pkey PRIMARY KEY (tenant, queue);
ALTER TABLE ONLY postern.queue_mark
    ADD CONSTRAINT queue_mark_pkey PRIMARY KEY (tenant, queue);
ALTER TABLE ONLY postern.queue_minute
    ADD CONSTRAINT queue_minute_pkey PRIMARY KEY (minute, tenant, queue);
ALTER TABLE ONLY postern.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (tenant, name);
ALTER TABLE ONLY postern.role_tenant
    ADD CONSTRAINT role_tenant_pkey PRIMARY KEY (role);
ALTER TABLE ONLY postern.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (tenant, name);
ALTER TABLE ONLY postern.schedule_run
    ADD CONSTRAINT schedule_run_pkey PRIMARY KEY (tenant, schedule, nominal_time);
ALTER TABLE ONLY postern.sequel
    ADD CONSTRAINT sequel_pkey PRIMARY KEY (id);
ALTER TABLE ONLY postern.setting
    ADD CONSTRAINT setting_pkey PRIMARY KEY (name);
ALTER TABLE ONLY postern.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);
ALTER TABLE ONLY postern.tenant_gauge
    ADD CONSTRAINT tenant_gauge_pkey PRIMARY KEY (tenant);
ALTER TABLE ONLY postern.tenant
    ADD CONSTRAINT tenant_pkey PRIMARY KEY (name);
ALTER TABLE ONLY postern.tenant_secret
    ADD CONSTRAINT tenant_secret_pkey PRIMARY KEY (tenant);
CREATE INDEX endpoint_paused ON postern.endpoint USING btree (tenant, name) WHERE paused;
CREATE INDEX idempotency_key_expiry ON postern.idempotency_key USING btree (expires_at);
CREATE INDEX lease_at ON postern.lease USING btree (tenant, resolved) WHERE (resolved IS NOT NULL);
CREATE INDEX lease_deferred ON postern.lease USING btree (until) WHERE deferred;
CREATE INDEX lease_of_queue ON postern.lease USING btree (deferred, tenant, queue);
CREATE INDEX move_change_of_tenant ON postern.move_change USING btree (tenant, kind, key, id);
CREATE INDEX move_deleting ON postern.move USING btree (tenant) WHERE (source AND (step = 'deleting'::text));
CREATE INDEX moved_task_until ON postern.moved_task USING btree (until);
CREATE INDEX queue_discard_old ON postern.queue USING btree (tenant, name) WHERE (discard_old AND (max_entries IS NOT NULL));
CREATE INDEX queue_max_age ON postern.queue USING btree (tenant, name) WHERE (max_age IS NOT NULL);
CREATE INDEX queue_paused ON postern.queue USING btree (tenant, name) WHERE paused;
CREATE INDEX schedule_due ON postern.schedule USING btree (next_at) WHERE (NOT paused);
CREATE INDEX schedule_in_turn ON postern.schedule USING btree (tenant, next_at, name) WHERE ((NOT paused) AND (next_at IS NOT NULL));
CREATE INDEX schedule_paused ON postern.schedule USING btree (tenant, name) WHERE paused;
CREATE INDEX schedule_run_of_task ON postern.schedule_run USING btree (task) WHERE (task IS NOT NULL);
CREATE INDEX schedule_run_recent ON postern.schedule_run USING btree (fired_at);
CREATE INDEX sequel_of_task ON postern.sequel USING btree (task);
CREATE INDEX sequel_of_tenant ON postern.sequel USING btree (tenant, id);
CREATE INDEX task_blocked ON postern.task USING btree (tenant, queue, uuid_send(id)) WHERE (state = 'blocked'::text);
CREATE INDEX task_delayed ON postern.task USING btree (run_at) WHERE (state = 'delayed'::text);
CREATE INDEX task_finished_ended ON ONLY postern.task_finished USING btree (tenant, queue, state, uuid_send(id)) WHERE (state <> 'completed'::text);
CREATE INDEX task_finished_failed ON ONLY postern.task_finished USING btree (tenant, finished_at) WHERE (state = 'failed'::text);
CREATE INDEX task_finished_id ON ONLY postern.task_finished USING btree (id);
CREATE INDEX task_finished_job_id ON ONLY postern.task_finished USING btree (tenant, job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX task_finished_of_queue ON ONLY postern.task_finished USING btree (tenant, queue, uuid_send(id));
CREATE INDEX task_finished_short_id_idx ON ONLY postern.task_finished_short USING btree (id);
CREATE INDEX task_finished_short_default_id_idx ON postern.task_finished_short_default USING btree (id);
CREATE INDEX task_finished_short_tenant_finished_at_idx ON ONLY postern.task_finished_short USING btree (tenant, finished_at) WHERE (state = 'failed'::text);
CREATE INDEX task_finished_short_default_tenant_finished_at_idx ON postern.task_finished_short_default USING btree (tenant, finished_at) WHERE (state = 'failed'::text);
CREATE INDEX task_finished_short_tenant_job_id_idx ON ONLY postern.task_finished_short USING btree (tenant, job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX task_finished_short_default_tenant_job_id_idx ON postern.task_finished_short_default USING btree (tenant, job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX task_finished_short_tenant_queue_state_uuid_send_idx ON ONLY postern.task_finished_short USING btree (tenant, queue, state, uuid_send(id)) WHERE (state <> 'completed'::text);
CREATE INDEX task_finished_short_default_tenant_queue_state_uuid_send_idx ON postern.task_finished_short_default USING btree (tenant, queue, state, uuid_send(id)) WHERE (state <> 'completed'::text);
CREATE INDEX task_finished_short_tenant_queue_uuid_send_idx ON ONLY postern.task_finished_short USING btree (tenant, queue, uuid_send(id));
CREATE INDEX task_finished_short_default_tenant_queue_uuid_send_idx ON postern.task_finished_short_default USING btree (tenant, queue, uuid_send(id));
CREATE INDEX task_finished_standard_id_idx ON ONLY postern.task_finished_standard USING btree (id);
CREATE INDEX task_finished_standard_default_id_idx ON postern.task_finished_standard_default USING btree (id);
CREATE INDEX task_finished_standard_tenant_finished_at_idx ON ONLY postern.task_finished_standard USING btree (tenant, finished_at) WHERE (state = 'failed'::text);
CREATE INDEX task_finished_standard_default_tenant_finished_at_idx ON postern.task_finished_standard_default USING btree (tenant, finished_at) WHERE (state = 'failed'::text);
CREATE INDEX task_finished_standard_tenant_job_id_idx ON ONLY postern.task_finished_standard USING btree (tenant, job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX task_finished_standard_default_tenant_job_id_idx ON postern.task_finished_standard_default USING btree (tenant, job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX task_finished_standard_tenant_queue_state_uuid_send_idx ON ONLY postern.task_finished_standard USING btree (tenant, queue, state, uuid_send(id)) WHERE (state <> 'completed'::text);
CREATE INDEX task_finished_standard_default_tenant_queue_state_uuid_send_idx ON postern.task_finished_standard_default USING btree (tenant, queue, state, uuid_send(id)) WHERE (state <> 'completed'::text);
CREATE INDEX task_finished_standard_tenant_queue_uuid_send_idx ON ONLY postern.task_finished_standard USING btree (tenant, queue, uuid_send(id));
CREATE INDEX task_finished_standard_default_tenant_queue_uuid_send_idx ON postern.task_finished_standard_default USING btree (tenant, queue, uuid_send(id));
CREATE INDEX task_in_turn ON postern.task USING btree (tenant, queue, key) WHERE ((key IS NOT NULL) AND (state <> 'blocked'::text));
CREATE INDEX task_job_id ON postern.task USING btree (tenant, job_id) WHERE (job_id IS NOT NULL);
CREATE INDEX task_of_key ON postern.task USING btree (tenant, queue, key, key_seq) WHERE (key IS NOT NULL);
CREATE INDEX task_of_queue ON postern.task USING btree (tenant, queue, uuid_send(id));
CREATE INDEX task_ready ON postern.task USING btree (lane, ((100 - priority)), run_at, id) WHERE ((state = 'ready'::text) AND (lane IS NOT NULL));
CREATE INDEX task_unrouted ON postern.task USING btree (tenant, id) WHERE (lane IS NULL);
CREATE INDEX tenant_moved ON postern.tenant USING btree (moved_at) WHERE (state = 'moved'::text);
CREATE INDEX tenant_on_its_way ON postern.tenant USING btree (name) WHERE (state <> ALL (ARRAY['here'::text, 'moved'::text]));
ALTER INDEX postern.task_finished_short_id_idx ATTACH PARTITION postern.task_finished_short_default_id_idx;
ALTER INDEX postern.task_finished_short_tenant_finished_at_idx ATTACH PARTITION postern.task_finished_short_default_tenant_finished_at_idx;
ALTER INDEX postern.task_finished_short_tenant_job_id_idx ATTACH PARTITION postern.task_finished_short_default_tenant_job_id_idx;
ALTER INDEX postern.task_finished_short_tenant_queue_state_uuid_send_idx ATTACH PARTITION postern.task_finished_short_default_tenant_queue_state_uuid_send_idx;
ALTER INDEX postern.task_finished_short_tenant_queue_uuid_send_idx ATTACH PARTITION postern.task_finished_short_default_tenant_queue_uuid_send_idx;
ALTER INDEX postern.task_finished_id ATTACH PARTITION postern.task_finished_short_id_idx;
ALTER INDEX postern.task_finished_failed ATTACH PARTITION postern.task_finished_short_tenant_finished_at_idx;
ALTER INDEX postern.task_finished_job_id ATTACH PARTITION postern.task_finished_short_tenant_job_id_idx;
ALTER INDEX postern.task_finished_ended ATTACH PARTITION postern.task_finished_short_tenant_queue_state_uuid_send_idx;
ALTER INDEX postern.task_finished_of_queue ATTACH PARTITION postern.task_finished_short_tenant_queue_uuid_send_idx;
ALTER INDEX postern.task_finished_standard_id_idx ATTACH PARTITION postern.task_finished_standard_default_id_idx;
ALTER INDEX postern.task_finished_standard_tenant_finished_at_idx ATTACH PARTITION postern.task_finished_standard_default_tenant_finished_at_idx;
ALTER INDEX postern.task_finished_standard_tenant_job_id_idx ATTACH PARTITION postern.task_finished_standard_default_tenant_job_id_idx;
ALTER INDEX postern.task_finished_standard_tenant_queue_state_uuid_send_idx ATTACH PARTITION postern.task_finished_standard_default_tenant_queue_state_uuid_send_idx;
ALTER INDEX postern.task_finished_standard_tenant_queue_uuid_send_idx ATTACH PARTITION postern.task_finished_standard_default_tenant_queue_uuid_send_idx;
ALTER INDEX postern.task_finished_id ATTACH PARTITION postern.task_finished_standard_id_idx;
ALTER INDEX postern.task_finished_failed ATTACH PARTITION postern.task_finished_standard_tenant_finished_at_idx;
ALTER INDEX postern.task_finished_job_id ATTACH PARTITION postern.task_finished_standard_tenant_job_id_idx;
ALTER INDEX postern.task_finished_ended ATTACH PARTITION postern.task_finished_standard_tenant_queue_state_uuid_send_idx;
ALTER INDEX postern.task_finished_of_queue ATTACH PARTITION postern.task_finished_standard_tenant_queue_uuid_send_idx;
CREATE TRIGGER refuse_arriving BEFORE INSERT OR DELETE OR UPDATE OF hash, name, role, tenant, sandbox, expires_at, revoked_at ON postern.api_key FOR EACH ROW WHEN ((COALESCE(current_setting('postern.move'::text, true), ''::text) <> ALL (ARRAY['copies'::text, 'deletes'::text]))) EXECUTE FUNCTION postern.refuse_arriving();
CREATE TRIGGER refuse_arriving BEFORE INSERT OR DELETE OR UPDATE ON postern.tenant_secret FOR EACH ROW WHEN ((COALESCE(current_setting('postern.move'::text, true), ''::text) <> ALL (ARRAY['copies'::text, 'deletes'::text]))) EXECUTE FUNCTION postern.refuse_arriving();
ALTER TABLE ONLY postern.api_key
    ADD CONSTRAINT api_key_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
ALTER TABLE ONLY postern.endpoint
    ADD CONSTRAINT endpoint_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
ALTER TABLE ONLY postern.move
    ADD CONSTRAINT move_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
ALTER TABLE ONLY postern.queue
    ADD CONSTRAINT queue_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
ALTER TABLE ONLY postern.role_tenant
    ADD CONSTRAINT role_tenant_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
ALTER TABLE ONLY postern.schedule
    ADD CONSTRAINT schedule_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
ALTER TABLE ONLY postern.tenant_secret
    ADD CONSTRAINT tenant_secret_tenant_fkey FOREIGN KEY (tenant) REFERENCES postern.tenant(name);
GRANT USAGE ON SCHEMA postern TO postern_api;
GRANT USAGE ON SCHEMA postern TO postern_scheduler;
GRANT USAGE ON SCHEMA postern TO postern_operator;
GRANT USAGE ON SCHEMA postern TO postern_enqueue;
REVOKE ALL ON FUNCTION postern.allow(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.allow(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[]) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.authenticate(p_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.authenticate(p_hash bytea) TO postern_api;
GRANT ALL ON FUNCTION postern.authenticate(p_hash bytea) TO postern_operator;
REVOKE ALL ON FUNCTION postern.awaited(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.awaited(p_ids uuid[]) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.cancel_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.cancel_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid) TO postern_api;
GRANT ALL ON FUNCTION postern.cancel_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid) TO postern_operator;
REVOKE ALL ON FUNCTION postern.canonical_url(p_url text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.change_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_blocked boolean, p_run_at timestamp with time zone, p_delay_ms bigint, p_priority smallint, p_body_form text, p_body bytea, p_content_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.change_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_blocked boolean, p_run_at timestamp with time zone, p_delay_ms bigint, p_priority smallint, p_body_form text, p_body bytea, p_content_type text) TO postern_api;
GRANT ALL ON FUNCTION postern.change_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_blocked boolean, p_run_at timestamp with time zone, p_delay_ms bigint, p_priority smallint, p_body_form text, p_body bytea, p_content_type text) TO postern_operator;
REVOKE ALL ON FUNCTION postern.claim(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[], p_first integer[], p_last integer[], p_ranks integer[], p_starts timestamp with time zone[], p_ids uuid[], p_last_ranks integer[], p_lease uuid, p_instance uuid, p_grace bigint, p_queue_timeouts text[], OUT ids uuid[], OUT untils timestamp with time zone[], OUT tenants text[], OUT endpoints text[], OUT held bigint[], OUT waits integer[], OUT full_ups boolean[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.claim(p_lanes bigint[], p_free integer[], p_tenants text[], p_queues text[], p_endpoints text[], p_first integer[], p_last integer[], p_ranks integer[], p_starts timestamp with time zone[], p_ids uuid[], p_last_ranks integer[], p_lease uuid, p_instance uuid, p_grace bigint, p_queue_timeouts text[], OUT ids uuid[], OUT untils timestamp with time zone[], OUT tenants text[], OUT endpoints text[], OUT held bigint[], OUT waits integer[], OUT full_ups boolean[]) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.claimed_endpoints(p_tenants text[], p_names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.claimed_endpoints(p_tenants text[], p_names text[]) TO postern_scheduler;
GRANT SELECT,INSERT ON TABLE postern.task TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.task TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.task TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.claimed_tasks(p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.claimed_tasks(p_ids uuid[]) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.count_end(t postern.task, p_instance uuid, p_name text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.count_ends(p_instance uuid, p_tenant text, p_queue text, p_name text, p_ended integer, p_unrouted integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.count_keys(p_tenant text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.count_keys(p_tenant text) TO postern_api;
GRANT ALL ON FUNCTION postern.count_keys(p_tenant text) TO postern_operator;
REVOKE ALL ON FUNCTION postern.count_minute(p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.count_minute(p_most integer) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text) TO postern_api;
GRANT ALL ON FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text) TO postern_operator;
GRANT ALL ON FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.create_key(p_hash bytea, p_name text, p_role text, p_tenant text, p_sandbox boolean, p_expires_at timestamp with time zone, p_most integer, p_kept integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.create_key(p_hash bytea, p_name text, p_role text, p_tenant text, p_sandbox boolean, p_expires_at timestamp with time zone, p_most integer, p_kept integer) TO postern_api;
GRANT ALL ON FUNCTION postern.create_key(p_hash bytea, p_name text, p_role text, p_tenant text, p_sandbox boolean, p_expires_at timestamp with time zone, p_most integer, p_kept integer) TO postern_operator;
REVOKE ALL ON FUNCTION postern.create_tenant(p_name text, p_secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.create_tenant(p_name text, p_secret text) TO postern_api;
GRANT ALL ON FUNCTION postern.create_tenant(p_name text, p_secret text) TO postern_operator;
REVOKE ALL ON FUNCTION postern.delete_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_any_state text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.delete_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_any_state text[]) TO postern_api;
GRANT ALL ON FUNCTION postern.delete_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_any_state text[]) TO postern_operator;
REVOKE ALL ON FUNCTION postern.depth_change(p_name text, p_value bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.depth_change(p_name text, p_value bigint) TO postern_api;
GRANT ALL ON FUNCTION postern.depth_change(p_name text, p_value bigint) TO postern_operator;
GRANT ALL ON FUNCTION postern.depth_change(p_name text, p_value bigint) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.discard_surplus(p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, OUT discarded bigint, OUT next_tenant text, OUT next_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.discard_surplus(p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, OUT discarded bigint, OUT next_tenant text, OUT next_queue text) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.drop_partition(p_class text, p_before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.drop_partition(p_class text, p_before timestamp with time zone) TO postern_scheduler;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.endpoint TO postern_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.endpoint TO postern_operator;
GRANT SELECT,UPDATE ON TABLE postern.endpoint TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.endpoint_of(p_tenant text, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.endpoint_of(p_tenant text, p_name text) TO postern_api;
GRANT ALL ON FUNCTION postern.endpoint_of(p_tenant text, p_name text) TO postern_operator;
GRANT ALL ON FUNCTION postern.endpoint_of(p_tenant text, p_name text) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.enqueue(queue text, url text, payload jsonb, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.enqueue(queue text, url text, payload jsonb, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) TO postern_enqueue;
GRANT ALL ON FUNCTION postern.enqueue(queue text, url text, payload jsonb, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) TO postern_operator;
REVOKE ALL ON FUNCTION postern.enqueue(queue text, url text, body bytea, content_type text, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.enqueue(queue text, url text, body bytea, content_type text, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) TO postern_enqueue;
GRANT ALL ON FUNCTION postern.enqueue(queue text, url text, body bytea, content_type text, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) TO postern_operator;
REVOKE ALL ON FUNCTION postern.enqueue_row(p_role name, queue text, url text, payload jsonb, form text, bytes bytea, content_type text, delay interval, run_at timestamp with time zone, priority integer, max_retries integer, headers jsonb, method text, timeout interval, deadline timestamp with time zone, retry_policy text, tags text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.expire_entries(p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, p_id uuid, OUT ended bigint, OUT next_tenant text, OUT next_queue text, OUT next_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.expire_entries(p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, p_id uuid, OUT ended bigint, OUT next_tenant text, OUT next_queue text, OUT next_id uuid) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.fence() FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.fenced() FROM PUBLIC;
GRANT ALL ON FUNCTION postern.fenced() TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.fenced_tables() FROM PUBLIC;
GRANT ALL ON FUNCTION postern.fenced_tables() TO postern_operator;
REVOKE ALL ON FUNCTION postern.finish(t postern.task, p_instance uuid, p_state text, p_reason text, p_error text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.finish_uncounted(t postern.task, p_state text, p_reason text, p_error text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.finished_since(p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.finished_since(p_id uuid) TO postern_api;
GRANT ALL ON FUNCTION postern.finished_since(p_id uuid) TO postern_operator;
GRANT ALL ON FUNCTION postern.finished_since(p_id uuid) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.finished_state(p_tenant text, p_id uuid, p_since timestamp with time zone) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.is_time(p_time timestamp with time zone) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.key_ended_at(p_revoked_at timestamp with time zone, p_expires_at timestamp with time zone) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.list_keys(p_tenant text, p_working integer, p_ended integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.list_keys(p_tenant text, p_working integer, p_ended integer) TO postern_api;
GRANT ALL ON FUNCTION postern.list_keys(p_tenant text, p_working integer, p_ended integer) TO postern_operator;
REVOKE ALL ON FUNCTION postern.lock_task(p_tenant text, p_id uuid, p_since timestamp with time zone, OUT state text, OUT waits boolean, OUT t postern.task) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.lock_tasks(p_tenant text, p_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.lock_tasks(p_tenant text, p_ids uuid[]) TO postern_api;
GRANT ALL ON FUNCTION postern.lock_tasks(p_tenant text, p_ids uuid[]) TO postern_operator;
REVOKE ALL ON FUNCTION postern.make_partition(p_class text, p_day date) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.make_partitions(p_class text, p_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.make_partitions(p_class text, p_ahead integer) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid) TO postern_api;
GRANT ALL ON FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid) TO postern_operator;
GRANT ALL ON FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.move_barrier(p_tenant text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_barrier(p_tenant text) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_day(p_class text, p_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_day(p_class text, p_day date) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_delete(p_tenant text, p_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_delete(p_tenant text, p_most integer) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_fence(p_table text, p_drop boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_fence(p_table text, p_drop boolean) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_forget(p_tenant text, p_tasks uuid[], p_finished uuid[], p_finished_at timestamp with time zone[], p_keys text[], p_schedules text[], p_nominal timestamp with time zone[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_forget(p_tenant text, p_tasks uuid[], p_finished uuid[], p_finished_at timestamp with time zone[], p_keys text[], p_schedules text[], p_nominal timestamp with time zone[]) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_forget_minutes(p_tenant text, p_since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_forget_minutes(p_tenant text, p_since timestamp with time zone) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_forget_whole(p_tenant text, p_since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_forget_whole(p_tenant text, p_since timestamp with time zone) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_is_left(p_tenant text, p_updated_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_is_left(p_tenant text, p_updated_at timestamp with time zone) TO postern_api;
GRANT ALL ON FUNCTION postern.move_is_left(p_tenant text, p_updated_at timestamp with time zone) TO postern_operator;
GRANT INSERT ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(name) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(role) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(tenant) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(sandbox) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(created_at) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(last_used_at) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(expires_at) ON TABLE postern.api_key TO postern_operator;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE postern.api_key TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_keys(p_tenant text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_keys(p_tenant text) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_leave(p_tenant text, p_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_leave(p_tenant text, p_id uuid) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_raise(p_job_id bigint, p_key_seq bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_raise(p_job_id bigint, p_key_seq bigint) TO postern_operator;
REVOKE ALL ON FUNCTION postern.move_writers(p_tenant text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.move_writers(p_tenant text) TO postern_operator;
REVOKE ALL ON FUNCTION postern.must_arrive(p_tenant text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.new_task_id() FROM PUBLIC;
GRANT ALL ON FUNCTION postern.new_task_id() TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.note_sequel(t postern.task) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamp with time zone, p_state text, p_reason text, p_instance uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamp with time zone, p_state text, p_reason text, p_instance uuid, p_limit integer) TO postern_api;
GRANT ALL ON FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamp with time zone, p_state text, p_reason text, p_instance uuid, p_limit integer) TO postern_operator;
REVOKE ALL ON FUNCTION postern.queue_depth(p_tenant text, p_queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.queue_depth(p_tenant text, p_queue text) TO postern_api;
GRANT ALL ON FUNCTION postern.queue_depth(p_tenant text, p_queue text) TO postern_operator;
GRANT ALL ON FUNCTION postern.queue_depth(p_tenant text, p_queue text) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.recorded(p_attempts json, p_record json) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.recorded(p_attempts json, p_record json) TO postern_api;
GRANT ALL ON FUNCTION postern.recorded(p_attempts json, p_record json) TO postern_operator;
GRANT ALL ON FUNCTION postern.recorded(p_attempts json, p_record json) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.refilled(p_tokens double precision, p_at timestamp with time zone, p_count integer, p_period interval, p_burst integer, OUT tokens double precision, OUT per_second double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.refilled(p_tokens double precision, p_at timestamp with time zone, p_count integer, p_period interval, p_burst integer, OUT tokens double precision, OUT per_second double precision) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.refuse_arriving() FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.restart(t postern.task) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.resting() FROM PUBLIC;
GRANT ALL ON FUNCTION postern.resting() TO postern_api;
GRANT ALL ON FUNCTION postern.resting() TO postern_operator;
GRANT ALL ON FUNCTION postern.resting() TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.results_of(p_tenant text, p_tasks uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.results_of(p_tenant text, p_tasks uuid[]) TO postern_api;
GRANT ALL ON FUNCTION postern.results_of(p_tenant text, p_tasks uuid[]) TO postern_operator;
GRANT ALL ON FUNCTION postern.results_of(p_tenant text, p_tasks uuid[]) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid) TO postern_api;
GRANT ALL ON FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid) TO postern_operator;
REVOKE ALL ON FUNCTION postern.retry_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_waiting text[], p_completed text[], p_keeping text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.retry_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_waiting text[], p_completed text[], p_keeping text[]) TO postern_api;
GRANT ALL ON FUNCTION postern.retry_task(p_tenant text, p_id uuid, p_since timestamp with time zone, p_instance uuid, p_rules text, p_waiting text[], p_completed text[], p_keeping text[]) TO postern_operator;
GRANT SELECT ON TABLE postern.task_finished TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.task_finished TO postern_operator;
GRANT SELECT,INSERT ON TABLE postern.task_finished TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.revive(t postern.task_finished, p_instance uuid, p_keeps boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.revoke_key(p_tenant text, p_name text, p_by_operator boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.revoke_key(p_tenant text, p_name text, p_by_operator boolean) TO postern_api;
GRANT ALL ON FUNCTION postern.revoke_key(p_tenant text, p_name text, p_by_operator boolean) TO postern_operator;
REVOKE ALL ON FUNCTION postern.route(p_instance uuid, p_ids uuid[], p_lanes bigint[], p_urls text[], p_tenants text[], p_queues text[], p_reasons text[], p_errors text[], p_quota bigint, OUT routed bigint, OUT ended bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.route(p_instance uuid, p_ids uuid[], p_lanes bigint[], p_urls text[], p_tenants text[], p_queues text[], p_reasons text[], p_errors text[], p_quota bigint, OUT routed bigint, OUT ended bigint) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.set_aside(p_id uuid, p_lease uuid, p_error text, p_instance uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.set_aside(p_id uuid, p_lease uuid, p_error text, p_instance uuid) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.settle_deferred(p_tenant text, p_id uuid, p_since timestamp with time zone, p_lease uuid, p_instance uuid, p_state text, p_reason text, p_delay_ms bigint, p_record json, p_outcome text, p_error text, p_code integer, p_ms integer, p_headers text, p_answer bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.settle_deferred(p_tenant text, p_id uuid, p_since timestamp with time zone, p_lease uuid, p_instance uuid, p_state text, p_reason text, p_delay_ms bigint, p_record json, p_outcome text, p_error text, p_code integer, p_ms integer, p_headers text, p_answer bytea) TO postern_api;
GRANT ALL ON FUNCTION postern.settle_deferred(p_tenant text, p_id uuid, p_since timestamp with time zone, p_lease uuid, p_instance uuid, p_state text, p_reason text, p_delay_ms bigint, p_record json, p_outcome text, p_error text, p_code integer, p_ms integer, p_headers text, p_answer bytea) TO postern_operator;
REVOKE ALL ON FUNCTION postern.some_left() FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.spend(p_tenant text, p_queue text, p_endpoint text, p_count integer) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.spend(p_tenant text, p_queue text, p_endpoint text, p_count integer) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) TO postern_api;
GRANT ALL ON FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) TO postern_operator;
REVOKE ALL ON FUNCTION postern.total_change(p_name text, p_value bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.total_change(p_name text, p_value bigint) TO postern_api;
GRANT ALL ON FUNCTION postern.total_change(p_name text, p_value bigint) TO postern_operator;
REVOKE ALL ON FUNCTION postern.url_parts(p_url text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wake(p_instance uuid, p_sequels bigint[], p_most integer, OUT done bigint[], OUT lanes bigint[], OUT later boolean, OUT busy boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION postern.wake(p_instance uuid, p_sequels bigint[], p_most integer, OUT done bigint[], OUT lanes bigint[], OUT later boolean, OUT busy boolean) TO postern_scheduler;
REVOKE ALL ON FUNCTION postern.weigh_dependencies(p_tenant text, p_ids uuid[], OUT live integer, OUT broken boolean, OUT unsure boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wrong_content_type(p_type text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wrong_headers(p_headers jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wrong_payload(p_payload jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wrong_retry_policy(p_policy text) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wrong_tags(p_tags text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION postern.wrong_url(p_url text) FROM PUBLIC;
GRANT SELECT ON TABLE postern.applied TO postern_api;
GRANT SELECT ON TABLE postern.applied TO postern_scheduler;
GRANT SELECT ON TABLE postern.applied TO postern_operator;
GRANT SELECT ON TABLE postern.counted_minute TO postern_api;
GRANT SELECT ON TABLE postern.counted_minute TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.counted_minute TO postern_scheduler;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.counter TO postern_api;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.counter TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.counter TO postern_scheduler;
GRANT SELECT,INSERT ON TABLE postern.dependency TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.dependency TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.dependency TO postern_scheduler;
GRANT SELECT ON TABLE postern.endpoint_minute TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.endpoint_minute TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.endpoint_minute TO postern_scheduler;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.idempotency_key TO postern_api;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.idempotency_key TO postern_operator;
GRANT SELECT,DELETE ON TABLE postern.idempotency_key TO postern_scheduler;
GRANT UPDATE(expires_at) ON TABLE postern.idempotency_key TO postern_scheduler;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.instance TO postern_api;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.instance TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.instance TO postern_scheduler;
GRANT USAGE ON SEQUENCE postern.job_id TO postern_api;
GRANT USAGE ON SEQUENCE postern.job_id TO postern_operator;
GRANT USAGE ON SEQUENCE postern.job_id TO postern_scheduler;
GRANT USAGE ON SEQUENCE postern.key_seq TO postern_api;
GRANT USAGE ON SEQUENCE postern.key_seq TO postern_operator;
GRANT USAGE ON SEQUENCE postern.key_seq TO postern_scheduler;
GRANT SELECT ON TABLE postern.lane TO postern_api;
GRANT SELECT ON TABLE postern.lane TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.lane TO postern_scheduler;
GRANT SELECT ON TABLE postern.lease TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.lease TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.lease TO postern_scheduler;
GRANT SELECT,UPDATE ON TABLE postern.minute_pass TO postern_scheduler;
GRANT SELECT ON TABLE postern.move TO postern_api;
GRANT SELECT ON TABLE postern.move TO postern_scheduler;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.move TO postern_operator;
GRANT SELECT,DELETE ON TABLE postern.move_change TO postern_operator;
GRANT SELECT ON TABLE postern.moved_task TO postern_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.moved_task TO postern_operator;
GRANT SELECT,DELETE ON TABLE postern.moved_task TO postern_scheduler;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.queue TO postern_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.queue TO postern_operator;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.queue TO postern_scheduler;
GRANT SELECT ON TABLE postern.queue_gauge TO postern_api;
GRANT SELECT ON TABLE postern.queue_gauge TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.queue_gauge TO postern_scheduler;
GRANT SELECT,INSERT ON TABLE postern.queue_mark TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.queue_mark TO postern_scheduler;
GRANT SELECT ON TABLE postern.queue_minute TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.queue_minute TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.queue_minute TO postern_scheduler;
GRANT SELECT ON TABLE postern.role_tenant TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.schedule TO postern_api;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.schedule TO postern_operator;
GRANT SELECT,UPDATE ON TABLE postern.schedule TO postern_scheduler;
GRANT SELECT,INSERT,DELETE ON TABLE postern.schedule_run TO postern_api;
GRANT SELECT,INSERT,DELETE ON TABLE postern.schedule_run TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.schedule_run TO postern_scheduler;
GRANT INSERT ON TABLE postern.sequel TO postern_api;
GRANT SELECT,INSERT ON TABLE postern.sequel TO postern_operator;
GRANT SELECT,INSERT,DELETE ON TABLE postern.sequel TO postern_scheduler;
GRANT SELECT ON TABLE postern.setting TO postern_api;
GRANT SELECT ON TABLE postern.setting TO postern_scheduler;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.setting TO postern_operator;
GRANT SELECT ON TABLE postern.task_live TO postern_api;
GRANT SELECT ON TABLE postern.task_live TO postern_operator;
GRANT SELECT ON TABLE postern.task_live TO postern_scheduler;
GRANT SELECT ON TABLE postern.task_all TO postern_api;
GRANT SELECT ON TABLE postern.task_all TO postern_operator;
GRANT SELECT ON TABLE postern.task_all TO postern_scheduler;
GRANT SELECT ON TABLE postern.task_finished_short_default TO postern_api;
GRANT SELECT ON TABLE postern.task_finished_short_default TO postern_operator;
GRANT SELECT ON TABLE postern.task_finished_standard_default TO postern_api;
GRANT SELECT ON TABLE postern.task_finished_standard_default TO postern_operator;
GRANT SELECT ON TABLE postern.tenant TO postern_api;
GRANT SELECT ON TABLE postern.tenant TO postern_scheduler;
GRANT SELECT,INSERT ON TABLE postern.tenant TO postern_operator;
GRANT UPDATE(created_at) ON TABLE postern.tenant TO postern_operator;
GRANT UPDATE(state) ON TABLE postern.tenant TO postern_operator;
GRANT UPDATE(moved_to) ON TABLE postern.tenant TO postern_operator;
GRANT UPDATE(moved_url) ON TABLE postern.tenant TO postern_operator;
GRANT UPDATE(moved_at) ON TABLE postern.tenant TO postern_operator;
GRANT SELECT ON TABLE postern.tenant_gauge TO postern_api;
GRANT SELECT ON TABLE postern.tenant_gauge TO postern_operator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE postern.tenant_gauge TO postern_scheduler;
GRANT SELECT,INSERT,UPDATE ON TABLE postern.tenant_secret TO postern_operator;
GRANT SELECT ON TABLE postern.tenant_secret TO postern_scheduler;
