-- What AsyncQueue's, TaskMQ's and asyncjobs's tasks have beyond native ones. Runs as postern_owner, in schema postern.

-- Both tables alike. `repeat_seconds`: completed means again, so long after. `hold_seconds`: an answered webhook waits so
-- long for a signal. `load_results`: the webhook carries what the dependencies were answered.
ALTER TABLE postern.task ADD repeat_seconds bigint, ADD hold_seconds bigint, ADD load_results boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT task_repeat_range CHECK (repeat_seconds > 0), ADD CONSTRAINT task_hold_range CHECK (hold_seconds > 0);
ALTER TABLE postern.task_finished ADD repeat_seconds bigint, ADD hold_seconds bigint,
  ADD load_results boolean NOT NULL DEFAULT false;

-- What is deferred may wait in great numbers and for long: a look for what has no scheduler any more reads the attempts under
-- way, and of the rest what is over.
CREATE INDEX task_leased ON postern.task (shard, deferred, lease_until) WHERE state = 'active';

DROP VIEW postern.task_all;
CREATE VIEW postern.task_all AS
  SELECT * FROM postern.task UNION ALL SELECT * FROM postern.task_finished;

-- A task's records with one more. The last hundred are kept: a row is written anew with each attempt.
CREATE FUNCTION postern.recorded(p_attempts jsonb, p_record jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_record IS NULL THEN p_attempts
            WHEN jsonb_array_length(p_attempts) >= 100 THEN (p_attempts - 0) || p_record
            ELSE p_attempts || p_record END;

-- Which task it is that TaskMQ's clients know by this number. A finished one may have been retried meanwhile, so it is
-- looked for twice.
CREATE FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) RETURNS uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT id FROM postern.task WHERE job_id = p_job_id AND tenant = p_tenant
  UNION ALL
  SELECT id FROM postern.task_finished WHERE job_id = p_job_id AND tenant = p_tenant LIMIT 1
$$;

-- Transitions whose rules differ by dialect: `p_rules` is the one to go by; NULL: the task's own. As in the first
-- migration they answer 'done', the state that forbids it, or NULL.

-- What waits -> gone; by asyncjobs's rules whatever state it is in: a delivery under way goes on, and nobody hears of its
-- end.
DROP FUNCTION postern.delete_task;
CREATE FUNCTION postern.delete_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid,
                                    p_rules text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  over postern.task_finished;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_shard, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL AND (found.waits OR coalesce(p_rules, t.dialect) = 'asyncjobs') THEN
    DELETE FROM postern.task WHERE shard = p_shard AND id = p_id;
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = p_id;
    PERFORM postern.note_sequel(t);
    PERFORM postern.count_end(t, p_instance, 'deleted');
  ELSIF t.id IS NULL AND found.state IS NOT NULL THEN
    DELETE FROM postern.task_finished
     WHERE shard = p_shard AND id = p_id AND finished_at >= p_since AND tenant = p_tenant
       AND coalesce(p_rules, dialect) = 'asyncjobs'
    RETURNING * INTO over;
    IF over.id IS NULL THEN
      RETURN found.state;
    END IF;
    t.idempotency_key := over.idempotency_key;
    PERFORM postern.count_one(p_shard, p_instance, over.tenant, over.queue, 'forgotten');
  ELSE
    RETURN found.state;
  END IF;
  DELETE FROM postern.idempotency_key
   WHERE shard = p_shard AND tenant = p_tenant AND key = t.idempotency_key AND task = p_id;
  RETURN 'done';
END $$;

-- A task that waits starts at once and with a fresh budget; one that waits for others goes on doing that.
CREATE FUNCTION postern.restart(t postern.task) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE postern.task
     SET attempt_base = attempt, updated_at = now(), run_at = least(run_at, now()),
         state = CASE state WHEN 'delayed' THEN 'ready' ELSE state END,
         deadline = CASE WHEN deadline > now() THEN deadline END
   WHERE shard = t.shard AND id = t.id;
  PERFORM pg_notify('postern_ready', '');
END $$;

-- Nobody looks at who waits for whom (see wake) while this transaction lasts, and no other that took this changes it.
CREATE FUNCTION postern.hold_wake() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_advisory_xact_lock(hashtextextended('postern.wake', 0))
$$;

-- Locks what there is of these tasks, and says of which queue each is. Who changes several does this first: rows in the
-- order of their ids, and counters only when all rows are locked, so that no two wait for each other in a circle.
-- `p_retry`: a retry goes on to those that depend on the task, whose order nobody knows; so it holds wake.
CREATE FUNCTION postern.lock_tasks(p_tenant text, p_ids uuid[], p_retry boolean)
RETURNS TABLE (task uuid, of_queue text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_retry THEN
    PERFORM postern.hold_wake();
  END IF;
  FOR task IN SELECT DISTINCT w FROM unnest(p_ids) w ORDER BY w LOOP
    SELECT t.queue INTO of_queue FROM postern.task t
     WHERE t.shard = postern.shard_of(task) AND t.id = task AND t.tenant = p_tenant FOR UPDATE;
    IF NOT FOUND THEN
      SELECT f.queue INTO of_queue FROM postern.task_finished f
       WHERE f.shard = postern.shard_of(task) AND f.id = task AND f.finished_at >= postern.finished_since(task)
         AND f.tenant = p_tenant FOR UPDATE;
    END IF;
    CONTINUE WHEN NOT FOUND;
    RETURN NEXT;
  END LOOP;
END $$;

-- As before, but for the locks, and nothing of another tenant comes back. REQUIRES: the row is locked, and wake is held
-- if others depend on it.
ALTER FUNCTION postern.retry_task RENAME TO retry_finished;
CREATE OR REPLACE FUNCTION postern.retry_finished(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz,
                                                  p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task_finished;
  frontier uuid[] := ARRAY[p_id];
BEGIN
  SELECT * INTO t FROM postern.task_finished
   WHERE shard = p_shard AND id = p_id AND finished_at >= p_since AND tenant = p_tenant FOR UPDATE;
  IF NOT FOUND THEN
    RETURN (SELECT state FROM postern.task WHERE shard = p_shard AND id = p_id AND tenant = p_tenant);
  END IF;
  PERFORM postern.revive(t, p_instance);
  LOOP
    SELECT array_agg(DISTINCT d.task) INTO frontier FROM postern.dependency d WHERE d.depends_on = ANY(frontier);
    EXIT WHEN frontier IS NULL;
    FOR t IN SELECT f.* FROM unnest(frontier) AS n(id)
               JOIN postern.task_finished f ON f.shard = postern.shard_of(n.id) AND f.id = n.id AND f.tenant = p_tenant
                AND f.finished_at >= postern.finished_since(n.id) AND f.reason = 'unreachable' ORDER BY f.id FOR UPDATE OF f
    LOOP
      PERFORM postern.revive(t, p_instance);
    END LOOP;
  END LOOP;
  RETURN 'done';
END $$;

-- As before: those of `p_ids` that are failed, and how many they were.
CREATE OR REPLACE FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w uuid;
  n integer := 0;
BEGIN
  FOR w IN SELECT task FROM postern.lock_tasks(p_tenant, p_ids, true) LOOP
    PERFORM FROM postern.task_finished
      WHERE shard = postern.shard_of(w) AND id = w AND finished_at >= postern.finished_since(w) AND tenant = p_tenant
        AND state = 'failed';
    CONTINUE WHEN NOT FOUND;
    PERFORM postern.retry_task(p_tenant, postern.shard_of(w), w, postern.finished_since(w), p_instance);
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- By asyncjobs's rules everything but what is active is retried, by TaskMQ's what failed or was cancelled, by the others'
-- what is over. Wake is held before any row is locked: by who brings dependents back, and by who is one.
CREATE FUNCTION postern.retry_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid,
                                   p_rules text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  rules text;
BEGIN
  IF EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = p_id)
     OR EXISTS (SELECT FROM postern.task_finished f
                 WHERE f.shard = p_shard AND f.id = p_id AND f.finished_at >= p_since AND f.tenant = p_tenant
                   AND f.reason = 'unreachable') THEN
    PERFORM postern.hold_wake();
  END IF;
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_shard, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL THEN
    rules := coalesce(p_rules, t.dialect);
    IF found.waits AND rules = 'asyncjobs' THEN
      PERFORM postern.restart(t);
      RETURN 'done';
    END IF;
    RETURN found.state;
  END IF;
  rules := coalesce(p_rules, (SELECT f.dialect FROM postern.task_finished f
                               WHERE f.shard = p_shard AND f.id = p_id AND f.finished_at >= p_since AND f.tenant = p_tenant));
  IF rules = 'taskmq' AND found.state = 'completed' THEN
    RETURN found.state;
  END IF;
  RETURN postern.retry_finished(p_tenant, p_shard, p_id, p_since, p_instance);
END $$;

-- As before; what is to be repeated is not over when its receiver says so.
CREATE OR REPLACE FUNCTION postern.settle_deferred(
  p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_lease uuid, p_instance uuid, p_state text, p_reason text,
  p_delay_ms bigint, p_record jsonb, p_outcome text, p_error text, p_code integer, p_ms integer, p_headers text,
  p_answer bytea)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_shard, p_id, p_since);
  t := found.t;
  IF found.state IS DISTINCT FROM 'active' OR t.lease <> p_lease THEN
    RETURN found.state;
  ELSIF p_state = 'active' THEN
    IF t.lease_until < now() THEN
      RETURN found.state;  -- too late: somebody may be settling it as over
    END IF;
    UPDATE postern.task SET lease_until = now() + p_delay_ms * interval '1 millisecond', updated_at = now()
     WHERE shard = p_shard AND id = p_id;
    RETURN 'done';
  END IF;
  t.attempts := postern.recorded(t.attempts, p_record);
  PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'attempts_' || p_outcome);
  IF p_state = 'completed' AND t.repeat_seconds IS NOT NULL THEN
    PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'finished_completed');
    PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'retried');
    t.attempt_base := t.attempt;
    t.attempts := jsonb_build_array(p_record);
    p_delay_ms := t.repeat_seconds * 1000;
  ELSIF p_state IN ('completed', 'failed') THEN
    t.result_code := p_code;
    t.result_ms := p_ms;
    t.result_headers := p_headers;
    t.result_body := p_answer;
    t.last_error := p_error;
    PERFORM postern.finish(t, p_instance, p_state, p_reason, p_error);
    PERFORM pg_notify('postern_ready', '');
    RETURN 'done';
  END IF;
  UPDATE postern.task
     SET state = CASE WHEN p_delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
         run_at = now() + p_delay_ms * interval '1 millisecond', attempt_base = t.attempt_base, attempts = t.attempts,
         last_error = p_error, lease = NULL, instance = NULL, lease_until = NULL, deferred = false, resolved = NULL,
         updated_at = now()
   WHERE shard = p_shard AND id = p_id;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;

-- Claims ------------------------------------------------------------------------------------------------

-- How many tasks may be claimed of each lane, at most `p_free` of it: what its queue and the endpoint it goes to permit.
-- Limits hold over any number of schedulers, because the row that has one is locked until the claim is committed.
-- `wait_ms`: the lane has more, but not before that time has passed; with `full_up`, or an attempt has ended. `target`: the
-- endpoint as it was when it permitted this, since the claim itself sees the tables as they were before it asked. All tasks of
-- a lane have the same tenant, queue and target, so its head speaks for all.
DROP FUNCTION postern.allow;
CREATE FUNCTION postern.allow(p_shard smallint, p_lanes bigint[], p_free integer[])
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
  taken jsonb := '{}';             -- by this call: places of a queue or endpoint whose tasks are not active yet
BEGIN
  IF EXISTS (SELECT FROM postern.setting s WHERE s.name = 'paused' AND s.value = 'true') THEN
    RETURN;
  END IF;
  FOR w IN
    SELECT n.lane, n.free, h.tenant, h.queue, r.target, (r.target).name AS endpoint,
           coalesce((r.target).timeout_ms, d.timeout_ms, 30000) AS default_ms,
           least(extract(epoch FROM d.max_runtime) * 1000, 86400000)::integer AS most_ms,
           coalesce(d.paused, false) OR coalesce((r.target).paused, false)
             OR h.queue = 'aq_test' AS paused,  -- tasks of sandbox keys, whoever made their queue's row
           d.max_concurrent IS NOT NULL OR d.rate_count IS NOT NULL AS queue_limited,
           (r.target).max_in_flight IS NOT NULL OR (r.target).rate_count IS NOT NULL AS endpoint_limited,
           'q' || h.tenant || '/' || h.queue AS queue_place, 'e' || h.tenant || '/' || (r.target).name AS endpoint_place
      FROM unnest(p_lanes, p_free) WITH ORDINALITY AS n(lane, free, place)
     CROSS JOIN LATERAL (
       SELECT t.tenant, t.queue, t.endpoint FROM postern.task t
        WHERE t.shard = p_shard AND t.lane = n.lane AND t.state = 'ready'
        ORDER BY t.priority DESC, t.run_at, t.id LIMIT 1) h
      LEFT JOIN postern.queue d ON d.tenant = h.tenant AND d.name = h.queue
      LEFT JOIN LATERAL (
        SELECT p AS target FROM postern.endpoint p
         WHERE p.tenant = h.tenant AND starts_with(h.endpoint, p.name) ORDER BY length(p.name) DESC LIMIT 1) r
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
      wait_ms := 5;  -- another claim holds it at this moment
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

    -- Only for what is there: places and tokens kept for nothing would be lost to the next lane.
    SELECT count(*) INTO free FROM (
      SELECT FROM postern.task t WHERE t.shard = p_shard AND t.lane = w.lane AND t.state = 'ready' LIMIT most::bigint) ready;
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
      -- Until the next token; or until a place is free, which another scheduler may be the one to see.
      wait_ms := ceil(1000 * greatest(
        CASE WHEN of_queue.tokens - free < 1 THEN (1 - of_queue.tokens + free) / of_queue.per_second END,
        CASE WHEN of_endpoint.tokens - free < 1 THEN (1 - of_endpoint.tokens + free) / of_endpoint.per_second END));
      full_up := wait_ms IS NULL;
      wait_ms := coalesce(wait_ms, 200);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Ids ---------------------------------------------------------------------------------------------------

-- A UUIDv7 whose 12 rand_a bits are the shard and whose first 10 rand_b bits are the microseconds, as in core/ids.h:
-- what was made later is listed later.
CREATE OR REPLACE FUNCTION postern.new_task_id(p_shard smallint) RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(substring(int8send(made / 1000) FROM 3)
                || int2send((28672 + p_shard)::smallint)
                || int2send((-32768 + made % 1000 * 16 + (get_byte(random, 0) & 15))::smallint)
                || substring(random FROM 11), 'hex')::uuid
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS made,
                 uuid_send(gen_random_uuid()) AS random) AS parts
$$;

-- Who may do what ---------------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION postern.retry_finished FROM postern_api;
GRANT EXECUTE ON FUNCTION postern.lock_tasks TO postern_api;
GRANT SELECT ON postern.task_all TO postern_api, postern_scheduler;
GRANT EXECUTE ON FUNCTION postern.delete_task, postern.retry_task, postern.task_of_job, postern.recorded TO postern_api;
GRANT EXECUTE ON FUNCTION postern.recorded, postern.allow TO postern_scheduler;
