-- The data model. Runs as postern_owner, in schema postern; docs/design.md explains the whole.
-- `now()` of this database is the only clock that decides anything.

-- Small tables ------------------------------------------------------------------------------------

CREATE TABLE postern.setting (
  name  text PRIMARY KEY,
  value text NOT NULL
);
INSERT INTO postern.setting VALUES ('shards', '1');

CREATE TABLE postern.tenant (
  name       text PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT tenant_name_shape CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$')
);
INSERT INTO postern.tenant (name) VALUES ('default');

-- What signs a tenant's webhooks; the previous secret signs too until previous_until.
CREATE TABLE postern.tenant_secret (
  tenant         text PRIMARY KEY REFERENCES postern.tenant,
  secret         text NOT NULL,
  previous       text,
  previous_until timestamptz,
  CONSTRAINT tenant_secret_shape CHECK (secret LIKE 'whsec\_%'),
  CONSTRAINT tenant_secret_previous_has_end CHECK ((previous IS NULL) = (previous_until IS NULL))
);
-- 32 bytes out of two v4 UUIDs: 244 of their bits are random.
INSERT INTO postern.tenant_secret (tenant, secret)
SELECT 'default', 'whsec_' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64');

-- Which tenant a database role enqueues for (SQL door); a role that is not here: 'default'.
CREATE TABLE postern.role_tenant (
  role   name PRIMARY KEY,
  tenant text NOT NULL REFERENCES postern.tenant
);

CREATE TABLE postern.api_key (
  hash         bytea PRIMARY KEY,          -- SHA-256 of the key; the key itself is nowhere
  name         text NOT NULL,
  role         text NOT NULL,
  tenant       text NOT NULL REFERENCES postern.tenant,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,                -- to the minute
  expires_at   timestamptz,
  revoked_at   timestamptz,
  CONSTRAINT api_key_name_once UNIQUE (tenant, name),
  CONSTRAINT api_key_role_known CHECK (role IN ('admin', 'worker', 'read')),
  CONSTRAINT api_key_hash_length CHECK (octet_length(hash) = 32)
);

-- NULL means: no limit, or the server's default.
CREATE TABLE postern.queue (
  tenant              text NOT NULL REFERENCES postern.tenant,
  name                text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now(),
  paused              boolean NOT NULL DEFAULT false,
  discard_old         boolean NOT NULL DEFAULT false,
  max_age             interval,
  max_entries         bigint,
  max_tries           integer,             -- a cap on what a task may ask for
  max_retries         integer NOT NULL DEFAULT 3,
  max_runtime         interval,
  max_concurrent      integer,
  timeout_ms          integer NOT NULL DEFAULT 30000,
  retry_policy        text NOT NULL DEFAULT 'exponential',
  endpoint            text,                -- default target
  rate_count          integer,             -- tokens per rate_period, a bucket of rate_burst
  rate_period         interval,
  rate_burst          integer,
  rate_tokens         double precision,
  rate_at             timestamptz,
  retention_completed text NOT NULL DEFAULT 'standard',
  retention_failed    text NOT NULL DEFAULT 'standard',
  retention_cancelled text NOT NULL DEFAULT 'standard',
  PRIMARY KEY (tenant, name),
  CONSTRAINT queue_name_shape CHECK (name ~ '^[a-zA-Z0-9_:-]{1,64}$'),
  CONSTRAINT queue_max_retries_range CHECK (max_retries BETWEEN 0 AND 100),
  CONSTRAINT queue_max_tries_range CHECK (max_tries >= 1),
  CONSTRAINT queue_max_entries_range CHECK (max_entries >= 0),
  CONSTRAINT queue_max_concurrent_range CHECK (max_concurrent >= 1),
  CONSTRAINT queue_timeout_range CHECK (timeout_ms BETWEEN 1000 AND 1800000),
  CONSTRAINT queue_rate_whole CHECK ((rate_count IS NULL) = (rate_period IS NULL)),
  CONSTRAINT queue_retention_known CHECK (
    retention_completed IN ('short', 'standard') AND retention_failed IN ('short', 'standard')
    AND retention_cancelled IN ('short', 'standard'))
);

-- A named target. Tasks that name one find its URL when they are delivered.
CREATE TABLE postern.endpoint (
  tenant         text NOT NULL REFERENCES postern.tenant,
  name           text NOT NULL,
  url            text NOT NULL,
  method         text NOT NULL DEFAULT 'POST',
  headers        text,                     -- JSON object
  secret         text,
  previous       text,
  previous_until timestamptz,
  timeout_ms     integer,
  max_in_flight  integer,
  rate_count     integer,
  rate_period    interval,
  paused         boolean NOT NULL DEFAULT false,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, name),
  CONSTRAINT endpoint_name_shape CHECK (name ~ '^[a-zA-Z0-9_:-]{0,128}$')
);

-- One per (queue, target). Its id is a hash of what it stands for (core/lane.h), so a task never depends
-- on this row: a lane without one has no limits. Unused ones are collected.
CREATE TABLE postern.lane (
  id              bigint PRIMARY KEY,
  tenant          text NOT NULL,
  queue           text NOT NULL,
  target          text NOT NULL,           -- host[:port], or 'endpoint:' and its name
  paused          boolean NOT NULL DEFAULT false,
  in_flight_limit integer,
  breaker         text NOT NULL DEFAULT 'closed',
  not_before      timestamptz,             -- throttled until then
  used_at         timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT lane_breaker_known CHECK (breaker IN ('closed', 'open', 'half_open'))
);

-- Recurring tasks. `task` is the JSON of the task to make.
CREATE TABLE postern.schedule (
  tenant     text NOT NULL REFERENCES postern.tenant,
  name       text NOT NULL,
  spec       text NOT NULL,
  timezone   text NOT NULL DEFAULT 'UTC',
  queue      text NOT NULL,
  dialect    text NOT NULL DEFAULT 'native',
  task       text NOT NULL,
  misfire    text NOT NULL DEFAULT 'last',
  overlap    text NOT NULL DEFAULT 'allow',
  jitter     interval NOT NULL DEFAULT '0',
  starts_at  timestamptz,
  ends_at    timestamptz,
  next_at    timestamptz,
  paused     boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, name),
  CONSTRAINT schedule_misfire_known CHECK (misfire IN ('skip', 'last', 'all')),
  CONSTRAINT schedule_overlap_known CHECK (overlap IN ('allow', 'skip'))
);
CREATE INDEX schedule_due ON postern.schedule (next_at) WHERE NOT paused;

-- The primary key is what makes an occurrence fire exactly once, whoever fires it.
CREATE TABLE postern.schedule_run (
  tenant       text NOT NULL,
  schedule     text NOT NULL,
  nominal_time timestamptz NOT NULL,
  fired_at     timestamptz NOT NULL DEFAULT now(),
  task         uuid,
  skipped      text,                       -- why it made no task
  PRIMARY KEY (tenant, schedule, nominal_time)
);

-- A heartbeat per running program. `beat` counts up: whoever watches it needs no common clock.
CREATE TABLE postern.instance (
  id         uuid PRIMARY KEY,
  program    text NOT NULL,
  name       text NOT NULL,
  version    text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  beat_at    timestamptz NOT NULL DEFAULT now(),
  beat       bigint NOT NULL DEFAULT 0,
  gauges     jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT instance_program_known CHECK (program IN ('postern-fcgi', 'postern-scheduler'))
) WITH (fillfactor = 50);

-- Added up when read. Written in the transaction of what they count, by one instance each, so nobody waits.
CREATE TABLE postern.counter (
  shard    smallint NOT NULL,
  instance uuid NOT NULL,
  tenant   text NOT NULL,
  queue    text NOT NULL,
  name     text NOT NULL,
  value    bigint NOT NULL,
  PRIMARY KEY (shard, instance, tenant, queue, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

-- Tasks -------------------------------------------------------------------------------------------

-- Live work only. A finished task is the same row in task_finished, so the two tables keep the same columns
-- in the same order: a migration that adds one to this adds it to that. No foreign keys: two of them halved the insert rate (619 -> 307 batches/s).
-- Columns go from wide and fixed to variable, so that rows are packed without padding.
CREATE TABLE postern.task (
  id              uuid NOT NULL,           -- UUIDv7 whose rand_a is the shard
  lease           uuid,                    -- the fence: only its holder may settle
  instance        uuid,                    -- the scheduler that holds the lease
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  run_at          timestamptz NOT NULL DEFAULT now(),
  claimed_at      timestamptz,
  finished_at     timestamptz,
  lease_until     timestamptz,
  deadline        timestamptz,             -- latest start
  lane            bigint,                  -- NULL: came by the SQL door, not routed yet
  job_id          bigint,
  timeout_ms      integer NOT NULL DEFAULT 30000,
  attempt         integer NOT NULL DEFAULT 0,   -- attempts begun, ever
  attempt_base    integer NOT NULL DEFAULT 0,   -- of which belong to earlier budgets
  max_attempts    integer NOT NULL DEFAULT 4,   -- of one budget
  result_code     integer,                 -- the last answer, once over
  result_ms       integer,
  shard           smallint NOT NULL DEFAULT 0,
  priority        smallint NOT NULL DEFAULT 50,
  state           text NOT NULL,
  dialect         text NOT NULL DEFAULT 'native',
  tenant          text NOT NULL,
  queue           text NOT NULL,
  method          text NOT NULL DEFAULT 'POST',
  url             text,
  endpoint        text,
  retry_policy    text NOT NULL DEFAULT 'exponential',
  body_form       text NOT NULL DEFAULT 'payload',
  content_type    text,
  headers         text,                    -- JSON object
  key             text,                    -- ordering key
  idempotency_key text,
  on_complete_url text,
  on_failure_url  text,
  traceparent     text,
  extra           text,                    -- the dialect's own fields, JSON
  last_error      text,
  tags            text[],
  dependencies    uuid[],
  attempts        jsonb NOT NULL DEFAULT '[]',
  body            bytea,                   -- byte for byte; jsonb would reorder keys and refuse \u0000
  reason          text NOT NULL DEFAULT '',     -- why it ended as it did
  retention       text NOT NULL DEFAULT 'standard',
  result_headers  text,                    -- JSON object
  result_body     bytea,                   -- first 16 KiB
  PRIMARY KEY (id, shard),                 -- this way round: see kClaim
  CONSTRAINT task_state_live CHECK (state IN ('ready', 'delayed', 'active', 'blocked')),
  CONSTRAINT task_not_finished CHECK (finished_at IS NULL AND reason = ''),
  CONSTRAINT task_lease_while_active CHECK (
    (state = 'active') = (lease IS NOT NULL) AND (state = 'active') = (lease_until IS NOT NULL)),
  CONSTRAINT task_priority_range CHECK (priority BETWEEN 0 AND 100),
  CONSTRAINT task_max_attempts_range CHECK (max_attempts >= 1),
  CONSTRAINT task_attempt_order CHECK (attempt >= attempt_base AND attempt_base >= 0),
  CONSTRAINT task_timeout_range CHECK (timeout_ms BETWEEN 1000 AND 86400000),
  CONSTRAINT task_has_target CHECK ((url IS NULL) <> (endpoint IS NULL)),
  CONSTRAINT task_dialect_known CHECK (dialect IN ('native', 'asyncqueue', 'taskmq', 'asyncjobs')),
  CONSTRAINT task_body_form_known CHECK (body_form IN ('payload', 'raw'))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1);

CREATE INDEX task_ready ON postern.task (shard, lane, priority DESC, run_at, id)
  WHERE state = 'ready' AND lane IS NOT NULL;
CREATE INDEX task_delayed ON postern.task (shard, run_at) WHERE state = 'delayed';
CREATE INDEX task_active ON postern.task (shard, lease_until) WHERE state = 'active';
CREATE INDEX task_unrouted ON postern.task (id, shard) WHERE lane IS NULL;
-- For lists. uuid_send, so that nobody mistakes this index for one to find an id by: on a table that was nearly
-- empty when it was planned, reading all of it looks as cheap as one descent of the primary key.
CREATE INDEX task_of_tenant ON postern.task (tenant, uuid_send(id));
CREATE INDEX task_job_id ON postern.task (job_id) WHERE job_id IS NOT NULL;
CREATE SEQUENCE postern.job_id;

-- The same row once over: by retention class, then by day of finishing, so that retention drops partitions.
-- There is always a DEFAULT, so that settling never fails.
CREATE TABLE postern.task_finished (
  LIKE postern.task INCLUDING DEFAULTS,
  CONSTRAINT task_finished_state_over CHECK (state IN ('completed', 'failed', 'cancelled')),
  CONSTRAINT task_finished_at_known CHECK (finished_at IS NOT NULL),
  CONSTRAINT task_finished_no_lease CHECK (lease IS NULL AND lease_until IS NULL)
) PARTITION BY LIST (retention);
CREATE INDEX task_finished_id ON postern.task_finished (shard, id);
CREATE INDEX task_finished_of_tenant ON postern.task_finished (tenant, uuid_send(id));
CREATE INDEX task_finished_job_id ON postern.task_finished (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE postern.task_finished_short PARTITION OF postern.task_finished
  FOR VALUES IN ('short') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_short_default PARTITION OF postern.task_finished_short DEFAULT;
CREATE TABLE postern.task_finished_standard PARTITION OF postern.task_finished
  FOR VALUES IN ('standard') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_standard_default PARTITION OF postern.task_finished_standard DEFAULT;

-- A keyed create finds its task again within the window. Expired keys are taken over in place.
CREATE TABLE postern.idempotency_key (
  shard        smallint NOT NULL,
  tenant       text NOT NULL,
  key          text NOT NULL,
  task         uuid NOT NULL,
  request_hash bytea NOT NULL,
  expires_at   timestamptz NOT NULL,
  PRIMARY KEY (shard, tenant, key)
);
CREATE INDEX idempotency_key_expiry ON postern.idempotency_key (expires_at);

CREATE TABLE postern.dependency (
  shard      smallint NOT NULL,
  task       uuid NOT NULL,                -- waits for
  depends_on uuid NOT NULL,
  PRIMARY KEY (shard, depends_on, task)
);

-- Both tables as one, for people and lists. Documented and kept stable, for psql.
CREATE VIEW postern.task_all AS
  SELECT * FROM postern.task UNION ALL SELECT * FROM postern.task_finished;

-- Transitions that the handlers ask for ------------------------------------------------------------
-- Definer functions, so that the handlers' role can neither delete a task nor touch an attempt. Each
-- answers 'done', the state that forbids it, or NULL when there is no such task.

CREATE FUNCTION postern.count_one(p_shard smallint, p_instance uuid, p_tenant text, p_queue text, p_name text)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO postern.counter AS c VALUES (p_shard, p_instance, p_tenant, p_queue, p_name, 1)
  ON CONFLICT (shard, instance, tenant, queue, name) DO UPDATE SET value = c.value + 1
$$;

-- Why a live row could not be found: the state of the finished one, or NULL.
CREATE FUNCTION postern.finished_state(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT state FROM postern.task_finished
   WHERE shard = p_shard AND id = p_id AND finished_at >= p_since AND tenant = p_tenant
$$;

-- ready, delayed or blocked -> cancelled. A cancel that says 'done' means no attempt starts after it.
CREATE FUNCTION postern.cancel_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
BEGIN
  SELECT * INTO t FROM postern.task
   WHERE shard = p_shard AND id = p_id AND tenant = p_tenant FOR UPDATE;
  IF NOT FOUND THEN
    RETURN postern.finished_state(p_tenant, p_shard, p_id, p_since);
  ELSIF t.state = 'active' THEN
    RETURN t.state;
  END IF;
  DELETE FROM postern.task WHERE shard = p_shard AND id = p_id;
  t.state := 'cancelled';
  t.reason := 'cancelled';
  t.updated_at := now();
  t.finished_at := now();
  t.retention := coalesce((SELECT q.retention_cancelled FROM postern.queue q
                            WHERE q.tenant = t.tenant AND q.name = t.queue), 'standard');
  INSERT INTO postern.task_finished SELECT t.*;
  PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'finished_cancelled');
  RETURN 'done';
END $$;

-- ready, delayed or blocked -> gone without a trace, its idempotency key too.
CREATE FUNCTION postern.delete_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
BEGIN
  SELECT * INTO t FROM postern.task
   WHERE shard = p_shard AND id = p_id AND tenant = p_tenant FOR UPDATE;
  IF NOT FOUND THEN
    RETURN postern.finished_state(p_tenant, p_shard, p_id, p_since);
  ELSIF t.state = 'active' THEN
    RETURN t.state;
  END IF;
  DELETE FROM postern.task WHERE shard = p_shard AND id = p_id;
  DELETE FROM postern.idempotency_key
   WHERE shard = p_shard AND tenant = p_tenant AND key = t.idempotency_key AND task = p_id;
  PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'deleted');
  RETURN 'done';
END $$;

-- any finished state -> ready at once, with a fresh budget; the old attempts stay. A deadline that has passed
-- is dropped, or the task would only fail again.
CREATE FUNCTION postern.retry_task(p_tenant text, p_shard smallint, p_id uuid, p_since timestamptz, p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
BEGIN
  DELETE FROM postern.task_finished
   WHERE shard = p_shard AND id = p_id AND finished_at >= p_since AND tenant = p_tenant
  RETURNING * INTO t;
  IF NOT FOUND THEN
    SELECT * INTO t FROM postern.task WHERE shard = p_shard AND id = p_id AND tenant = p_tenant;
    RETURN t.state;
  END IF;
  t.state := 'ready';
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
  INSERT INTO postern.task SELECT t.*;
  PERFORM postern.count_one(p_shard, p_instance, t.tenant, t.queue, 'retried');
  PERFORM pg_notify('postern_ready', t.lane::text);
  RETURN 'done';
END $$;

-- Whose key it is; no row when unknown, revoked or expired.
CREATE FUNCTION postern.authenticate(p_hash bytea)
RETURNS TABLE (name text, role text, tenant text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- Partitions ---------------------------------------------------------------------------------------

-- Makes the partitions of `p_class` from yesterday to `p_ahead` days ahead. What cannot get its lock within
-- 200 ms is left for the next call, so that nobody's insert waits behind us. Rows that fell into the
-- DEFAULT partition meanwhile move to where they belong. Returns how many were made.
CREATE FUNCTION postern.make_partitions(p_class text, p_ahead integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
DECLARE
  parent text := 'task_finished_' || p_class;
  day date;
  part text;
  made integer := 0;
BEGIN
  FOR day IN SELECT current_date + n FROM generate_series(-1, p_ahead) n LOOP
    part := parent || '_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass('postern.' || part) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE postern.%I (LIKE postern.%I INCLUDING DEFAULTS INCLUDING INDEXES
                      INCLUDING CONSTRAINTS)', part, parent);
      EXECUTE format('WITH moved AS (DELETE FROM postern.%I WHERE finished_at >= %L AND finished_at < %L
                      RETURNING *) INSERT INTO postern.%I SELECT * FROM moved',
                     parent || '_default', day, day + 1, part);
      EXECUTE format('ALTER TABLE postern.%I ATTACH PARTITION postern.%I FOR VALUES FROM (%L) TO (%L)',
                     parent, part, day, day + 1);
      made := made + 1;
    EXCEPTION WHEN lock_not_available OR duplicate_table THEN
      NULL;
    END;
  END LOOP;
  RETURN made;
END $$;

-- Drops the oldest partition of `p_class` whose last row finished before `p_before`. Returns its name, or NULL when
-- there is none or its lock was not to be had within 200 ms.
CREATE FUNCTION postern.drop_partition(p_class text, p_before timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
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
END $$;

SELECT postern.make_partitions('short', 3), postern.make_partitions('standard', 3);

-- The SQL door -------------------------------------------------------------------------------------

-- A UUIDv7 whose 12 rand_a bits are the shard. The last eight bytes of a v4 already carry the variant.
CREATE FUNCTION postern.new_task_id(p_shard smallint) RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                || int2send((28672 + p_shard)::smallint)
                || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid
$$;

-- What both doors below share. Only ranges and the URL's shape are checked here; core checks the rest before the
-- first send. Inserts the task's row alone: nothing that another transaction could wait for.
CREATE FUNCTION postern.enqueue_row(
  p_role name, queue text, url text, form text, bytes bytea, content_type text, delay interval,
  run_at timestamptz, priority integer, max_retries integer, headers jsonb, method text,
  timeout interval, deadline timestamptz, retry_policy text, tags text[])
RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_tenant text := coalesce((SELECT r.tenant FROM postern.role_tenant r WHERE r.role = p_role), 'default');
  v_start timestamptz := coalesce(run_at, now() + delay);
  v_queue postern.queue;
  v_id uuid := postern.new_task_id(0::smallint);
  v_timeout bigint := (extract(epoch FROM timeout) * 1000)::bigint;
BEGIN
  IF queue IS NULL OR queue !~ '^[a-zA-Z0-9_:-]{1,64}$' THEN
    RAISE EXCEPTION 'queue: must match ^[a-zA-Z0-9_:-]{1,64}$' USING ERRCODE = 'check_violation';
  ELSIF url IS NULL OR octet_length(url) > 2048
        OR url !~ '^https?://([a-zA-Z0-9_.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?([/?#][!-\[\]-~]*)?$' THEN
    RAISE EXCEPTION 'url: must be an absolute http or https URL without userinfo, at most 2048 bytes'
      USING ERRCODE = 'check_violation';
  ELSIF priority IS NULL OR priority NOT BETWEEN 1 AND 10 THEN
    RAISE EXCEPTION 'priority: must be 1 to 10' USING ERRCODE = 'check_violation';
  ELSIF max_retries NOT BETWEEN 0 AND 100 THEN
    RAISE EXCEPTION 'max_retries: must be 0 to 100' USING ERRCODE = 'check_violation';
  ELSIF delay IS NULL OR delay < interval '0' OR v_start > now() + interval '3660 days' THEN
    RAISE EXCEPTION 'delay, run_at: must be now to ten years ahead' USING ERRCODE = 'check_violation';
  ELSIF v_timeout NOT BETWEEN 1000 AND 1800000 THEN
    RAISE EXCEPTION 'timeout: must be 1 second to 30 minutes' USING ERRCODE = 'check_violation';
  ELSIF deadline < now() THEN
    RAISE EXCEPTION 'deadline: must not be in the past' USING ERRCODE = 'check_violation';
  ELSIF method IS NULL OR method NOT IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE') THEN
    RAISE EXCEPTION 'method: must be GET, POST, PUT, PATCH or DELETE' USING ERRCODE = 'check_violation';
  ELSIF jsonb_typeof(headers) <> 'object' OR jsonb_path_exists(headers, '$.* ? (@.type() != "string")') THEN
    RAISE EXCEPTION 'headers: must be an object of strings' USING ERRCODE = 'check_violation';
  ELSIF octet_length(bytes) > 16777216 THEN
    RAISE EXCEPTION 'payload: at most 16 MiB' USING ERRCODE = 'check_violation';
  END IF;
  SELECT * INTO v_queue FROM postern.queue q WHERE q.tenant = v_tenant AND q.name = enqueue_row.queue;
  INSERT INTO postern.task (
    id, run_at, deadline, timeout_ms, max_attempts, shard, priority, state, tenant, queue, method,
    url, retry_policy, body_form, content_type, headers, tags, body)
  VALUES (
    v_id, v_start, deadline, coalesce(v_timeout, v_queue.timeout_ms, 30000),
    1 + coalesce(max_retries, v_queue.max_retries, 3), 0, priority * 10,
    CASE WHEN v_start > clock_timestamp() THEN 'delayed' ELSE 'ready' END, v_tenant, queue, method,
    url, coalesce(retry_policy, v_queue.retry_policy, 'exponential'), form, content_type,
    headers::text, tags, bytes);
  RETURN v_id;
END $$;

-- A task whose webhook carries `payload`, delivered only if the caller's transaction commits. Returns its id,
-- which the API takes as it is.
CREATE FUNCTION postern.enqueue(
  queue text, url text, payload jsonb DEFAULT NULL, delay interval DEFAULT '0',
  run_at timestamptz DEFAULT NULL, priority integer DEFAULT 5, max_retries integer DEFAULT NULL,
  headers jsonb DEFAULT NULL, method text DEFAULT 'POST', timeout interval DEFAULT NULL,
  deadline timestamptz DEFAULT NULL, retry_policy text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT postern.enqueue_row(session_user, queue, url, 'payload', convert_to(payload::text, 'UTF8'),
                             NULL, delay, run_at, priority, max_retries, headers, method, timeout,
                             deadline, retry_policy, tags)
$$;

-- The same with a body that is sent byte for byte.
CREATE FUNCTION postern.enqueue(
  queue text, url text, body bytea, content_type text, delay interval DEFAULT '0',
  run_at timestamptz DEFAULT NULL, priority integer DEFAULT 5, max_retries integer DEFAULT NULL,
  headers jsonb DEFAULT NULL, method text DEFAULT 'POST', timeout interval DEFAULT NULL,
  deadline timestamptz DEFAULT NULL, retry_policy text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT postern.enqueue_row(session_user, queue, url, 'raw', body, content_type, delay, run_at,
                             priority, max_retries, headers, method, timeout, deadline,
                             retry_policy, tags)
$$;

-- Who may do what ----------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
GRANT USAGE ON SCHEMA postern TO postern_api, postern_scheduler, postern_enqueue;
GRANT SELECT ON postern.migration, postern.setting, postern.tenant TO postern_api, postern_scheduler;

GRANT EXECUTE ON FUNCTION postern.cancel_task, postern.delete_task, postern.retry_task,
  postern.authenticate, postern.count_one TO postern_api;
GRANT SELECT ON postern.task, postern.task_finished, postern.task_all TO postern_api;
GRANT INSERT ON postern.task TO postern_api;
GRANT USAGE ON SEQUENCE postern.job_id TO postern_api;
GRANT SELECT, INSERT, UPDATE ON postern.idempotency_key, postern.counter, postern.instance TO postern_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON postern.queue, postern.endpoint, postern.schedule TO postern_api;
GRANT SELECT ON postern.schedule_run TO postern_api;
GRANT SELECT, INSERT ON postern.lane, postern.dependency TO postern_api;

GRANT EXECUTE ON FUNCTION postern.make_partitions, postern.drop_partition, postern.count_one,
  postern.new_task_id TO postern_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON postern.task, postern.lane, postern.counter, postern.instance,
  postern.dependency, postern.schedule_run TO postern_scheduler;
GRANT SELECT, INSERT ON postern.task_finished TO postern_scheduler;
GRANT SELECT, UPDATE ON postern.schedule TO postern_scheduler;
GRANT SELECT, INSERT, UPDATE ON postern.queue TO postern_scheduler;
GRANT SELECT, DELETE ON postern.idempotency_key TO postern_scheduler;
GRANT SELECT ON postern.endpoint, postern.tenant_secret, postern.task_all TO postern_scheduler;
GRANT USAGE ON SEQUENCE postern.job_id TO postern_scheduler;

GRANT EXECUTE ON FUNCTION
  postern.enqueue(text, text, jsonb, interval, timestamptz, integer, integer, jsonb, text, interval, timestamptz, text, text[]),
  postern.enqueue(text, text, bytea, text, interval, timestamptz, integer, integer, jsonb, text, interval, timestamptz, text, text[])
  TO postern_enqueue;
