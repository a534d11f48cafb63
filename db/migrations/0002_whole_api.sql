-- Queues with limits, endpoints, schedules, and tasks that wait for others. Runs as postern_owner, in schema postern.

-- Tasks ---------------------------------------------------------------------------------------------

-- Both tables alike. `resolved` is the endpoint that an attempt was made to, which may stand for a prefix of
-- `endpoint`. `deferred`: the receiver said 202 and will tell the end later; the lease runs on.
-- `key_seq` is the order within an ordering key.
ALTER TABLE postern.task ADD key_seq bigint, ADD resolved text, ADD deferred boolean NOT NULL DEFAULT false;
ALTER TABLE postern.task_finished ADD key_seq bigint, ADD resolved text, ADD deferred boolean NOT NULL DEFAULT false;
CREATE SEQUENCE postern.key_seq;

-- NULL: the endpoint's, else the queue's, as they are when the attempt begins.
ALTER TABLE postern.task ALTER timeout_ms DROP NOT NULL, ALTER timeout_ms DROP DEFAULT;
ALTER TABLE postern.task_finished ALTER timeout_ms DROP NOT NULL, ALTER timeout_ms DROP DEFAULT;

-- The lease of a task whose end was told by its receiver stays: who tells it twice is known by it.
ALTER TABLE postern.task_finished DROP CONSTRAINT task_finished_no_lease,
  ADD CONSTRAINT task_finished_lease_over CHECK (lease_until IS NULL);

DROP VIEW postern.task_all;
CREATE VIEW postern.task_all AS
  SELECT * FROM postern.task UNION ALL SELECT * FROM postern.task_finished;

-- How many run is asked per queue and per endpoint, so the active ones are found by these.
DROP INDEX postern.task_active;
CREATE INDEX task_active ON postern.task (tenant, queue) WHERE state = 'active';
CREATE INDEX task_active_at ON postern.task (tenant, resolved) WHERE state = 'active' AND resolved IS NOT NULL;
-- By what is waited for alone: the shard is in it.
ALTER TABLE postern.dependency DROP CONSTRAINT dependency_pkey, ADD PRIMARY KEY (depends_on, task, shard);
CREATE INDEX task_of_key ON postern.task (tenant, queue, key, key_seq) WHERE key IS NOT NULL;

-- How many are blocked is asked per queue. A task that is never blocked is never in here.
CREATE INDEX task_blocked ON postern.task (tenant, queue) WHERE state = 'blocked';

-- What belongs to a queue, oldest first. A list over all queues merges them, so no index without the queue is needed.
DROP INDEX postern.task_of_tenant;
DROP INDEX postern.task_finished_of_tenant;
CREATE INDEX task_of_queue ON postern.task (tenant, queue, uuid_send(id));
CREATE INDEX task_finished_of_queue ON postern.task_finished (tenant, queue, uuid_send(id));
-- For the recovery of an endpoint: only what failed is looked at.
CREATE INDEX task_finished_failed ON postern.task_finished (tenant, finished_at)
  WHERE state = 'failed' AND endpoint IS NOT NULL;

-- What has to follow: somebody waits for this task or its key, its callback is to be made, or it waits itself.
-- Written with what it follows from and taken away by the scheduler that has seen to it, so nothing is forgotten
-- in between. Without a foreign key, because the task may be gone.
CREATE TABLE postern.sequel (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task     uuid NOT NULL,
  tenant   text NOT NULL,
  queue    text NOT NULL,
  key      text,
  callback boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX sequel_of_task ON postern.sequel (task);

-- Queues, endpoints, schedules ------------------------------------------------------------------------

ALTER TABLE postern.queue
  ADD CONSTRAINT queue_max_age_positive CHECK (max_age > '0'),
  ADD CONSTRAINT queue_max_runtime_positive CHECK (max_runtime > '0'),
  ADD CONSTRAINT queue_rate_range CHECK (rate_count >= 1 AND rate_period >= '1 second' AND rate_burst >= 1);
ALTER TABLE postern.queue SET (fillfactor = 50);  -- the bucket of a rate limit is in the row

ALTER TABLE postern.endpoint
  ADD rate_burst integer, ADD rate_tokens double precision, ADD rate_at timestamptz,
  ADD CONSTRAINT endpoint_rate_whole CHECK ((rate_count IS NULL) = (rate_period IS NULL)),
  ADD CONSTRAINT endpoint_rate_range CHECK (rate_count >= 1 AND rate_period >= '1 second' AND rate_burst >= 1),
  ADD CONSTRAINT endpoint_max_in_flight_range CHECK (max_in_flight >= 1),
  ADD CONSTRAINT endpoint_previous_has_end CHECK ((previous IS NULL) = (previous_until IS NULL)),
  ADD CONSTRAINT endpoint_timeout_range CHECK (timeout_ms BETWEEN 1000 AND 1800000);
ALTER TABLE postern.endpoint SET (fillfactor = 50);

-- What came of the attempts at an endpoint, by minute: for its health, not for accounts. `durations` counts by
-- the buckets of core/histogram.h.
CREATE TABLE postern.endpoint_minute (
  tenant    text NOT NULL,
  endpoint  text NOT NULL,
  minute    timestamptz NOT NULL,
  instance  uuid NOT NULL,
  attempts  bigint NOT NULL,
  failed    bigint NOT NULL,
  durations bigint[] NOT NULL,
  PRIMARY KEY (tenant, endpoint, minute, instance)
);

-- `spec` is the cron expression, or '@every' and the interval when that is what was given.
ALTER TABLE postern.schedule
  ADD interval_seconds bigint,
  ADD misfire_limit    integer NOT NULL DEFAULT 10,
  ADD misfire_window   interval NOT NULL DEFAULT '1 hour',
  ADD deadline_offset  interval,
  ADD last_at          timestamptz,          -- the last occurrence that was fired or accounted for
  ADD last_task        uuid;                 -- of the last run that made one: whether the next would overlap it
ALTER TABLE postern.schedule
  ADD CONSTRAINT schedule_name_shape CHECK (name ~ '^[a-zA-Z0-9_:-]{1,128}$'),
  ADD CONSTRAINT schedule_misfire_limit_range CHECK (misfire_limit BETWEEN 1 AND 100);
CREATE INDEX schedule_run_recent ON postern.schedule_run (fired_at);

-- A queue's counters are added up whenever a task comes into one that has a bound.
-- How deep each queue is is asked of its own counters alone, so these come first.
ALTER TABLE postern.counter DROP CONSTRAINT counter_pkey, ADD PRIMARY KEY (tenant, queue, name, instance, shard);

-- How deep each queue is, as the schedulers last saw it. The total comes from the counters.
CREATE TABLE postern.queue_gauge (
  tenant     text NOT NULL,
  queue      text NOT NULL,
  seen_at    timestamptz NOT NULL,
  ready      bigint NOT NULL,
  delayed    bigint NOT NULL,
  active     bigint NOT NULL,
  blocked    bigint NOT NULL,
  estimated  boolean NOT NULL,
  oldest_due timestamptz,
  PRIMARY KEY (tenant, queue)
) WITH (fillfactor = 50);

-- Helpers ---------------------------------------------------------------------------------------------

-- When an id was made, and no task of it can have finished earlier (less a day for clocks that differ).
CREATE FUNCTION postern.finished_since(p_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT to_timestamp((('x' || substr(replace(p_id::text, '-', ''), 1, 12))::bit(48)::bigint) / 1000.0) - interval '1 day'
$$;

CREATE FUNCTION postern.shard_of(p_id uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (('x' || substr(replace(p_id::text, '-', ''), 14, 3))::bit(12)::integer)::smallint
$$;

-- What follows from the end of `t`, when anything does.
CREATE FUNCTION postern.note_sequel(t postern.task) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO postern.sequel (task, tenant, queue, key, callback)
  SELECT t.id, t.tenant, t.queue, t.key, url IS NOT NULL
    FROM (SELECT CASE t.state WHEN 'completed' THEN t.on_complete_url WHEN 'failed' THEN t.on_failure_url END AS url) c
   WHERE t.key IS NOT NULL OR url IS NOT NULL
      OR EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = t.id)
$$;

-- Counts the end of a live task. One that came by the SQL door and ends before it was routed has not been counted yet.
CREATE FUNCTION postern.count_end(t postern.task, p_instance uuid, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF t.lane IS NULL THEN
    PERFORM postern.count_one(t.shard, p_instance, t.tenant, t.queue, 'created');
  END IF;
  PERFORM postern.count_one(t.shard, p_instance, t.tenant, t.queue, p_name);
END $$;

-- Ends a live task whose row the caller has locked, and which is not being delivered or whose lease is the caller's: the
-- one way out of `task` besides the scheduler's settle.
CREATE FUNCTION postern.finish(t postern.task, p_instance uuid, p_state text, p_reason text, p_error text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM postern.task WHERE shard = t.shard AND id = t.id;
  t.state := p_state;
  t.reason := p_reason;
  t.last_error := coalesce(p_error, t.last_error);
  t.updated_at := now();
  t.finished_at := now();
  t.lease_until := NULL;
  t.instance := NULL;
  t.deferred := false;
  t.retention := coalesce((SELECT CASE p_state WHEN 'completed' THEN q.retention_completed WHEN 'failed' THEN q.retention_failed
                                               ELSE q.retention_cancelled END
                             FROM postern.queue q WHERE q.tenant = t.tenant AND q.name = t.queue), 'standard');
  INSERT INTO postern.task_finished SELECT t.*;
  IF p_reason <> 'unreachable' AND t.dependencies IS NOT NULL THEN
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
  END IF;
  PERFORM postern.note_sequel(t);
  PERFORM postern.count_end(t, p_instance, 'finished_' || p_state);
END $$;

-- Locks a live task for a transition. `state`: its own, or that of the finished one; NULL: there is no such task.
-- `waits`: it is live and nobody is delivering it.
CREATE FUNCTION postern.lock_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz,
                                  OUT state text, OUT waits boolean, OUT t postern.task)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT * INTO t FROM postern.task WHERE shard = p_shard AND id = p_id AND tenant = p_tenant FOR UPDATE;
  state := CASE WHEN FOUND THEN t.state ELSE postern.finished_state(p_tenant, p_shard, p_id, p_since) END;
  waits := coalesce(state IN ('ready', 'delayed', 'blocked'), false);
END $$;

-- Transitions that the handlers ask for ---------------------------------------------------------------
-- As in the first migration: 'done', the state that forbids it, or NULL.

CREATE OR REPLACE FUNCTION postern.cancel_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_shard, p_id, p_since);
  IF NOT found.waits THEN
    RETURN found.state;
  END IF;
  PERFORM postern.finish(found.t, p_instance, 'cancelled', 'cancelled', NULL);
  RETURN 'done';
END $$;

CREATE OR REPLACE FUNCTION postern.delete_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_shard, p_id, p_since);
  IF NOT found.waits THEN
    RETURN found.state;
  END IF;
  t := found.t;
  DELETE FROM postern.task WHERE shard = p_shard AND id = p_id;
  DELETE FROM postern.idempotency_key
   WHERE shard = p_shard AND tenant = p_tenant AND key = t.idempotency_key AND task = p_id;
  DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = p_id;
  PERFORM postern.note_sequel(t);
  PERFORM postern.count_end(t, p_instance, 'deleted');
  RETURN 'done';
END $$;

-- A finished task as it comes back to life: a fresh budget, the old attempts kept. A deadline that has passed is dropped,
-- or the task would only fail again. What waited for others or for its turn does so again.
CREATE FUNCTION postern.revive(t postern.task_finished, p_instance uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  waits boolean := t.dependencies IS NOT NULL OR t.key IS NOT NULL;
BEGIN
  DELETE FROM postern.task_finished WHERE shard = t.shard AND id = t.id AND finished_at = t.finished_at;
  t.state := CASE WHEN waits THEN 'blocked' ELSE 'ready' END;
  t.reason := '';
  t.attempt_base := t.attempt;
  t.updated_at := now();
  t.run_at := now();
  t.deadline := CASE WHEN t.deadline > now() THEN t.deadline END;
  t.finished_at := NULL;
  t.result_code := NULL;
  t.result_ms := NULL;
  t.result_headers := NULL;
  t.result_body := NULL;
  t.resolved := NULL;
  t.lease := NULL;
  INSERT INTO postern.task SELECT t.*;
  INSERT INTO postern.dependency (shard, task, depends_on)
  SELECT DISTINCT t.shard, t.id, d FROM unnest(t.dependencies) d ON CONFLICT DO NOTHING;
  IF waits THEN
    INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
  END IF;
  IF t.lane IS NOT NULL THEN  -- else its routing counts it as created
    PERFORM postern.count_one(t.shard, p_instance, t.tenant, t.queue, 'retried');
  END IF;
  PERFORM pg_notify('postern_ready', CASE WHEN waits OR t.lane IS NULL THEN '' ELSE t.lane::text END);
END $$;

-- Besides the task itself, those come back that ended only because it had not completed; also those whom a look at who
-- waits (see wake) is about to end, so that look is waited for.
CREATE OR REPLACE FUNCTION postern.retry_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid)
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
  IF EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = p_id) THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('postern.wake', 0));
  END IF;
  LOOP
    SELECT array_agg(DISTINCT d.task) INTO frontier FROM postern.dependency d WHERE d.depends_on = ANY(frontier);
    EXIT WHEN frontier IS NULL;
    FOR t IN SELECT f.* FROM unnest(frontier) AS n(id)
               JOIN postern.task_finished f ON f.shard = postern.shard_of(n.id) AND f.id = n.id
                AND f.finished_at >= postern.finished_since(n.id) AND f.reason = 'unreachable' ORDER BY f.id FOR UPDATE OF f
    LOOP
      PERFORM postern.revive(t, p_instance);
    END LOOP;
  END LOOP;
  RETURN 'done';
END $$;

-- Retries those of `p_ids` that are failed, and says how many: what was retried or has ended otherwise since somebody
-- looked is left alone. In order, so that two at once cannot deadlock.
CREATE FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w uuid;
  n integer := 0;
BEGIN
  FOR w IN SELECT unnest(p_ids) AS id ORDER BY id LOOP
    PERFORM FROM postern.task_finished
      WHERE shard = postern.shard_of(w) AND id = w AND finished_at >= postern.finished_since(w) AND tenant = p_tenant
        AND state = 'failed' FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    PERFORM postern.retry_task(p_tenant, postern.shard_of(w), w, postern.finished_since(w), p_instance);
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Changes what waits: NULL leaves a thing as it is. The start is `p_run_at`, or `p_delay_ms` from now; a task that is due
-- keeps its place when it is to start at once. The body is `p_body` when there is a `p_body_form`; a raw one keeps the
-- content type it had unless it gets another. `p_blocked`: also what waits for other tasks. 'late': it would start after
-- its deadline.
CREATE FUNCTION postern.change_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_blocked boolean,
                                    p_run_at timestamptz, p_delay_ms bigint, p_priority smallint, p_body_form text,
                                    p_body bytea, p_content_type text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  starts timestamptz := coalesce(p_run_at, now() + p_delay_ms * interval '1 millisecond');
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_shard, p_id, p_since);
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
   WHERE shard = p_shard AND id = p_id;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;

-- Ends up to `p_limit` of a queue's tasks that were made before `p_before` and are not being delivered, oldest first.
-- Returns how many; fewer than the limit: there are no more.
CREATE FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamptz, p_state text, p_reason text,
                                    p_instance uuid, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
  n integer := 0;
BEGIN
  FOR t IN SELECT * FROM postern.task
            WHERE tenant = p_tenant AND queue = p_queue AND state IN ('ready', 'delayed', 'blocked') AND created_at <= p_before
            ORDER BY uuid_send(id) LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM postern.finish(t, p_instance, p_state, p_reason, replace(p_reason, '_', ' '));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Ends up to `p_limit` entries of each queue that has a max_age and which they have outlived: counted from their start, or
-- from their creation once they have been tried. Returns how many.
CREATE FUNCTION postern.expire_entries(p_instance uuid, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
  n integer := 0;
BEGIN
  FOR t IN
    SELECT old.* FROM postern.queue q CROSS JOIN LATERAL (
      SELECT * FROM postern.task k
       WHERE k.tenant = q.tenant AND k.queue = q.name AND k.state IN ('ready', 'delayed', 'blocked')
         AND k.created_at < now() - q.max_age AND (k.attempt > k.attempt_base OR k.run_at < now() - q.max_age)
       ORDER BY uuid_send(k.id) LIMIT p_limit FOR UPDATE SKIP LOCKED) old
     WHERE q.max_age IS NOT NULL
  LOOP
    PERFORM postern.finish(t, p_instance, 'failed', 'max_age', 'it waited longer than the max_age of its queue');
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- How many live tasks a queue holds, by the counters: exact, but for tasks of the SQL door that no scheduler has seen.
CREATE FUNCTION postern.queue_depth(p_tenant text, p_queue text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(CASE WHEN name IN ('created', 'retried') THEN value ELSE -value END), 0)::bigint FROM postern.counter
   WHERE tenant = p_tenant AND queue = p_queue
     AND name IN ('created', 'retried', 'deleted', 'finished_completed', 'finished_failed', 'finished_cancelled')
$$;

-- Makes room in a queue that has a bound, and says for how many of `p_wanted` there is some. Until the caller's transaction
-- ends nobody else gets room in this queue. A bound that was lowered far below what is there is reached step by step:
-- each call discards up to 1,000 more than it lets in.
CREATE FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q postern.queue;
  missing bigint;
  most integer := p_wanted + 1000;
BEGIN
  SELECT * INTO q FROM postern.queue WHERE tenant = p_tenant AND name = p_queue FOR UPDATE;
  IF NOT FOUND OR q.max_entries IS NULL THEN
    RETURN p_wanted;
  END IF;
  missing := postern.queue_depth(p_tenant, p_queue) + p_wanted - q.max_entries;
  IF missing > 0 AND q.discard_old THEN
    missing := least(missing, most)
      - postern.purge_queue(p_tenant, p_queue, now(), 'cancelled', 'discarded', p_instance, least(missing, most)::integer);
  END IF;
  RETURN greatest(0, p_wanted - greatest(0, missing));
END $$;

-- The receiver of a deferred attempt has told its end, or asks for more time. `p_lease` is what makes it the one that
-- may. The same answers as above; 'active' when the lease is not this one any more.
CREATE FUNCTION postern.settle_deferred(
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
  t.attempts := t.attempts || p_record;
  PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'attempts_' || p_outcome);
  IF p_state IN ('completed', 'failed') THEN
    t.result_code := p_code;
    t.result_ms := p_ms;
    t.result_headers := p_headers;
    t.result_body := p_answer;
    t.last_error := p_error;
    PERFORM postern.finish(t, p_instance, p_state, p_reason, p_error);
  ELSE
    UPDATE postern.task
       SET state = CASE WHEN p_delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
           run_at = now() + p_delay_ms * interval '1 millisecond', attempts = t.attempts, last_error = p_error,
           lease = NULL, instance = NULL, lease_until = NULL, deferred = false, resolved = NULL, updated_at = now()
     WHERE shard = p_shard AND id = p_id;
  END IF;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;

-- What the scheduler asks -------------------------------------------------------------------------------

-- Those of `p_ids` that others wait for, as of now: a settle asks when it has locked them, and by then its own snapshot
-- is too old to see who has come since.
CREATE FUNCTION postern.awaited(p_ids uuid[]) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ARRAY(SELECT DISTINCT d.depends_on FROM postern.dependency d WHERE d.depends_on = ANY(p_ids));
END $$;

-- Sees to what waits: `p_ids` themselves, whoever waits for them, and the next of their ordering keys. A task goes on
-- when all it depends on is completed and, with a key, none of its key is before it. One that depends on what will not
-- complete ends as unreachable, and then whoever waits for that. NULL: another scheduler is at it; ask again.
-- Only one at a time, and each step looks anew: whoever changes what this has seen leaves a sequel, and the look
-- that follows from it comes after this one's commit.
CREATE FUNCTION postern.wake(p_instance uuid, p_ids uuid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  frontier uuid[] := p_ids;
  ended uuid[];
  t postern.task;
  live integer;
  held integer;
  broken boolean;
  woken integer := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.wake', 0)) THEN
    RETURN NULL;
  END IF;
  WHILE frontier IS NOT NULL LOOP
    ended := NULL;
    FOR t IN
      SELECT k.* FROM postern.task k
       WHERE k.state = 'blocked' AND k.id = ANY(ARRAY(
         SELECT unnest(frontier)
          UNION SELECT d.task FROM postern.dependency d WHERE d.depends_on = ANY(frontier)
          UNION SELECT n.id FROM unnest(frontier) AS f(id) JOIN postern.sequel s ON s.task = f.id AND s.key IS NOT NULL
            CROSS JOIN LATERAL (SELECT b.id FROM postern.task b
                                 WHERE b.tenant = s.tenant AND b.queue = s.queue AND b.key = s.key AND b.state = 'blocked'
                                 ORDER BY b.key_seq LIMIT 1) n))
       ORDER BY k.id FOR UPDATE
    LOOP
      IF t.dependencies IS NOT NULL THEN
        SELECT count(l.id), coalesce(bool_or(l.id IS NULL AND f.state IS DISTINCT FROM 'completed'), false)
          INTO live, broken
          FROM unnest(t.dependencies) AS d(id)
          LEFT JOIN postern.task l ON l.id = d.id AND l.shard = postern.shard_of(d.id) AND l.tenant = t.tenant
          LEFT JOIN postern.task_finished f ON f.shard = postern.shard_of(d.id) AND f.id = d.id AND f.tenant = t.tenant
           AND f.finished_at >= postern.finished_since(d.id);
        IF broken THEN
          PERFORM postern.finish(t, p_instance, 'failed', 'unreachable', 'a task it depends on did not complete');
          ended := ended || t.id;
          CONTINUE;
        END IF;
        IF live > 0 THEN
          -- Who is ending one of them at this moment may have looked for those that wait before this one was there.
          SELECT count(*) INTO held FROM (
            SELECT FROM postern.task l WHERE l.id = ANY(t.dependencies) AND l.tenant = t.tenant FOR KEY SHARE SKIP LOCKED) k;
          IF held < live THEN
            INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
          END IF;
          CONTINUE;
        END IF;
      END IF;
      CONTINUE WHEN t.key IS NOT NULL AND EXISTS (
        SELECT FROM postern.task o
         WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.key = t.key AND o.id <> t.id
           AND (o.state <> 'blocked' OR o.key_seq < t.key_seq));
      UPDATE postern.task SET state = CASE WHEN run_at > now() THEN 'delayed' ELSE 'ready' END, updated_at = now()
       WHERE shard = t.shard AND id = t.id;
      DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
      woken := woken + 1;
    END LOOP;
    frontier := ended;
  END LOOP;
  RETURN woken;
END $$;

-- A token bucket: `p_count` in any `p_period`, and up to `p_burst` at once. A bucket is asked every few milliseconds at
-- best, so it holds what 50 ms bring; that, and as much again for what a network may bunch, is taken off the rate, so that
-- a receiver never sees more than `p_count` in any period when no burst was asked for. NULLs without a `p_count`.
CREATE FUNCTION postern.refilled(p_tokens double precision, p_at timestamptz, p_count integer, p_period interval,
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

-- How many tasks may be claimed of each lane, at most `p_free` of it: what its queue and the endpoint it goes to permit.
-- Limits hold over any number of schedulers, because the row that has one is locked until the claim is committed.
-- `wait_ms`: the lane has more, but not before that time has passed; with `full_up`, or an attempt has ended. All tasks of a lane have the same tenant, queue and
-- target, so its head speaks for all.
CREATE FUNCTION postern.allow(p_shard smallint, p_lanes bigint[], p_free integer[])
RETURNS TABLE (lane bigint, free integer, wait_ms integer, full_up boolean, resolved text, default_ms integer, most_ms integer)
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
    SELECT n.lane, n.free, h.tenant, h.queue, r.name AS endpoint, coalesce(r.timeout_ms, d.timeout_ms, 30000) AS default_ms,
           least(extract(epoch FROM d.max_runtime) * 1000, 86400000)::integer AS most_ms,
           coalesce(d.paused, false) OR coalesce(r.paused, false) AS paused,
           d.max_concurrent IS NOT NULL OR d.rate_count IS NOT NULL AS queue_limited,
           r.max_in_flight IS NOT NULL OR r.rate_count IS NOT NULL AS endpoint_limited,
           'q' || h.tenant || '/' || h.queue AS queue_place, 'e' || h.tenant || '/' || r.name AS endpoint_place
      FROM unnest(p_lanes, p_free) WITH ORDINALITY AS n(lane, free, place)
     CROSS JOIN LATERAL (
       SELECT t.tenant, t.queue, t.endpoint FROM postern.task t
        WHERE t.shard = p_shard AND t.lane = n.lane AND t.state = 'ready'
        ORDER BY t.priority DESC, t.run_at, t.id LIMIT 1) h
      LEFT JOIN postern.queue d ON d.tenant = h.tenant AND d.name = h.queue
      LEFT JOIN LATERAL (
        SELECT * FROM postern.endpoint p
         WHERE p.tenant = h.tenant AND starts_with(h.endpoint, p.name) ORDER BY length(p.name) DESC LIMIT 1) r
        ON h.endpoint IS NOT NULL
     ORDER BY n.place
  LOOP
    CONTINUE WHEN w.paused;
    lane := w.lane;
    free := w.free;
    wait_ms := NULL;
    full_up := false;
    resolved := w.endpoint;
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

-- Who may do what ---------------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
GRANT SELECT ON postern.task_all TO postern_api, postern_scheduler;
GRANT USAGE ON SEQUENCE postern.key_seq TO postern_api, postern_scheduler;

GRANT EXECUTE ON FUNCTION postern.change_task, postern.retry_failed, postern.purge_queue, postern.queue_depth, postern.make_room,
  postern.settle_deferred TO postern_api;
GRANT INSERT ON postern.sequel, postern.schedule_run TO postern_api;
GRANT SELECT ON postern.queue_gauge, postern.endpoint_minute TO postern_api;
GRANT DELETE ON postern.schedule_run TO postern_api;

GRANT EXECUTE ON FUNCTION postern.wake, postern.awaited, postern.refilled, postern.allow, postern.expire_entries, postern.queue_depth,
  postern.make_room, postern.shard_of, postern.finished_since TO postern_scheduler;
GRANT SELECT, INSERT, DELETE ON postern.sequel TO postern_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON postern.queue_gauge, postern.endpoint_minute TO postern_scheduler;
GRANT UPDATE ON postern.endpoint TO postern_scheduler;
