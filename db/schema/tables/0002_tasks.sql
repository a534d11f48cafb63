-- Live and finished tasks, leases, idempotency keys, dependencies and sequels. Runs as postern_owner.
-- min_program: 0.1.0

-- Live tasks. A row says what was asked for and what has come of it; an attempt under way is a row of postern.lease beside it,
-- so that a claim writes one narrow row and leaves this one alone (per task 33 us of the server's CPU time to claim and settle,
-- instead of 47 with an UPDATE of this row). `state` therefore says 'ready' during an attempt: postern.task_live shows it as
-- 'active'.
--
-- A finished task is the same row in task_finished, so the two tables have the same columns in the same order: a migration that
-- adds a column to one adds it to the other and to the two views. No foreign keys: two of them halved the insert rate (619 ->
-- 307 batches/s). Columns are ordered from wide and fixed to variable, so that rows need no padding. Names are compared byte by
-- byte, whatever the database's collation: it is the order of several indexes, and a third of their cost.
CREATE TABLE postern.task (
  id              uuid NOT NULL,           -- UUIDv7
  lease           uuid,                    -- of the attempt that ended it; a live task's is in postern.lease
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  run_at          timestamptz NOT NULL DEFAULT now(),
  claimed_at      timestamptz,             -- when the last attempt began that has ended
  finished_at     timestamptz,
  deadline        timestamptz,             -- latest start of an attempt
  lane            bigint,                  -- NULL: made by the SQL door and not routed yet
  job_id          bigint,                  -- TaskMQ's number
  key_seq         bigint,                  -- the order within an ordering key
  repeat_seconds  bigint,                  -- periodic task: instead of completing it runs again after this time
  hold_seconds    bigint,                  -- how long an answered webhook waits for a signal
  timeout_ms      integer,                 -- NULL: the endpoint's, else the queue's, when the attempt begins
  attempt         integer NOT NULL DEFAULT 0,   -- attempts ended since the creation
  attempt_base    integer NOT NULL DEFAULT 0,   -- those of them that belong to earlier budgets
  max_attempts    integer NOT NULL DEFAULT 4,   -- of one budget
  result_code     integer,                 -- HTTP status of the last answer, once finished
  result_ms       integer,
  priority        smallint NOT NULL DEFAULT 50,
  deferred        boolean NOT NULL DEFAULT false,  -- always false: a lease is deferred; here for the two views
  load_results    boolean NOT NULL DEFAULT false,  -- the webhook carries the results of the dependencies
  state           text NOT NULL,
  dialect         text NOT NULL DEFAULT 'native',
  tenant          text COLLATE "C" NOT NULL,
  queue           text COLLATE "C" NOT NULL,
  method          text NOT NULL DEFAULT 'POST',
  url             text,
  endpoint        text COLLATE "C",
  resolved        text COLLATE "C",                    -- the endpoint of the last attempt that has ended; `endpoint` may only begin with its name
  retry_policy    text NOT NULL DEFAULT 'exponential',
  body_form       text NOT NULL DEFAULT 'payload',
  content_type    text,
  headers         text,                    -- JSON object
  key             text COLLATE "C",                    -- ordering key
  idempotency_key text,
  on_complete_url text,
  on_failure_url  text,
  traceparent     text,
  extra           text,                    -- the dialect's own fields, JSON
  last_error      text,
  tags            text[],
  dependencies    uuid[],
  attempts        json NOT NULL DEFAULT '[]',     -- of their records, oldest first; json, because all but a few are written once and read as text
  body            bytea,                   -- byte for byte; jsonb would reorder keys and refuse \u0000
  reason          text NOT NULL DEFAULT '',     -- why it ended without success
  retention       text NOT NULL DEFAULT 'standard',
  result_headers  text,                    -- JSON object
  result_body     bytea,                   -- first 16 KiB
  PRIMARY KEY (id),
  -- Few constraints with many conditions, since each costs an insert statement about 40 us.
  CONSTRAINT task_is_live CHECK (
    state IN ('ready', 'delayed', 'blocked') AND finished_at IS NULL AND reason = '' AND lease IS NULL AND NOT deferred),
  CONSTRAINT task_ranges CHECK (
    attempt BETWEEN attempt_base AND 2147483646 AND attempt_base >= 0 AND max_attempts >= 1 AND priority BETWEEN 0 AND 100
    AND timeout_ms BETWEEN 1000 AND 86400000 AND repeat_seconds BETWEEN 1 AND 316224000 AND hold_seconds BETWEEN 1 AND 604800
    AND run_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
    AND deadline BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
    AND (url IS NULL) <> (endpoint IS NULL) AND body_form IN ('payload', 'raw')),
  CONSTRAINT task_dialect_known CHECK (dialect IN ('native', 'asyncqueue', 'taskmq', 'asyncjobs'))
) WITH (fillfactor = 80, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.1);

-- The order of claims: by priority, then by start. Its parts ascend all three, so that a scan can begin at any (priority, start):
-- claims begin behind what they have taken before, instead of walking over its dead entries until a vacuum.
CREATE INDEX task_ready ON postern.task (lane, (100 - priority), run_at, id)
  WHERE state = 'ready' AND lane IS NOT NULL;
CREATE INDEX task_delayed ON postern.task (run_at) WHERE state = 'delayed';
CREATE INDEX task_unrouted ON postern.task (tenant, id) WHERE lane IS NULL;
-- For counting and listing the blocked tasks of a queue.
CREATE INDEX task_blocked ON postern.task (tenant, queue, uuid_send(id)) WHERE state = 'blocked';
CREATE INDEX task_of_key ON postern.task (tenant, queue, key, key_seq) WHERE key IS NOT NULL;
CREATE INDEX task_in_turn ON postern.task (tenant, queue, key) WHERE key IS NOT NULL AND state <> 'blocked';
-- For lists, oldest first; a list over all queues merges them. uuid_send(id) instead of id, so that the planner does not use
-- this index to find one id: for a plan made on a nearly empty table, a scan of it looks as cheap as a lookup in the primary
-- key.
CREATE INDEX task_of_queue ON postern.task (tenant, queue, uuid_send(id));
-- Numbers are a tenant's own: those of two may be the same where one came from another cell.
CREATE INDEX task_job_id ON postern.task (tenant, job_id) WHERE job_id IS NOT NULL;
CREATE SEQUENCE postern.job_id;
CREATE SEQUENCE postern.key_seq;

-- Leases: the attempts under way. The row is made by the claim and deleted by whoever ends the attempt; only the holder of
-- `lease` may. A task whose row is gone (some dialects delete a task in any state) leaves its lease until the attempt ends.
--
-- Who locks a lease and its task locks the lease first, but for a claim, which has found that there is no lease.
CREATE TABLE postern.lease (
  task       uuid PRIMARY KEY,
  lease      uuid NOT NULL,                -- the claim's
  instance   uuid,                         -- the scheduler that delivers; NULL once deferred
  claimed_at timestamptz NOT NULL DEFAULT now(),
  until      timestamptz NOT NULL,
  deferred   boolean NOT NULL DEFAULT false,  -- the receiver answered 202 and will report the end
  tenant     text COLLATE "C" NOT NULL,
  queue      text COLLATE "C" NOT NULL,
  resolved   text COLLATE "C"              -- the endpoint that the attempt goes to
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
-- For counting the attempts of a queue; and for the rescue, which reads of the deferred ones, which may be many and wait long,
-- those that have expired.
CREATE INDEX lease_of_queue ON postern.lease (deferred, tenant, queue);
CREATE INDEX lease_at ON postern.lease (tenant, resolved) WHERE resolved IS NOT NULL;
CREATE INDEX lease_deferred ON postern.lease (until) WHERE deferred;

-- What a claim may take of the lanes of one queue and target: see postern.allow.
CREATE TYPE postern.allowance AS (
  lanes       integer[],                   -- their numbers among those asked for, those in front first
  tenant      text,
  queue       text,
  endpoint    text,                        -- the one that they go to; NULL: to their URLs
  endpoint_ms integer,                     -- its timeout
  default_ms  integer,                     -- the timeout of a task without one
  runtime_ms  integer,                     -- the limit to any task's
  most        integer,                     -- tasks of all these lanes together; NULL: as many as were asked for
  wait_ms     integer,                     -- until more may be permitted, if `most` is less than what was asked for,
  full_up     boolean                      -- or no longer than until an attempt ends
);

-- Finished tasks, partitioned by retention class and then by day of finishing, so that retention drops partitions. A DEFAULT
-- partition always exists, so that a settle never fails. The lease of a deferred attempt is kept, to recognise a receiver
-- that reports its end twice.
CREATE TABLE postern.task_finished (
  LIKE postern.task INCLUDING DEFAULTS,
  CONSTRAINT task_finished_state_over CHECK (state IN ('completed', 'failed', 'cancelled')),
  CONSTRAINT task_finished_at_known CHECK (finished_at IS NOT NULL),
  CONSTRAINT task_finished_not_deferred CHECK (NOT deferred)
) PARTITION BY LIST (retention);
CREATE INDEX task_finished_id ON postern.task_finished (id);
CREATE INDEX task_finished_of_queue ON postern.task_finished (tenant, queue, uuid_send(id));
-- For listing those that failed or were cancelled, which may be few among many. A completed task has no entry.
CREATE INDEX task_finished_ended ON postern.task_finished (tenant, queue, state, uuid_send(id)) WHERE state <> 'completed';
-- For retrying the failed tasks of an endpoint, and for grouping the last that failed.
CREATE INDEX task_finished_failed ON postern.task_finished (tenant, finished_at) WHERE state = 'failed';
CREATE INDEX task_finished_job_id ON postern.task_finished (tenant, job_id) WHERE job_id IS NOT NULL;

CREATE TABLE postern.task_finished_short PARTITION OF postern.task_finished
  FOR VALUES IN ('short') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_short_default PARTITION OF postern.task_finished_short DEFAULT;
CREATE TABLE postern.task_finished_standard PARTITION OF postern.task_finished
  FOR VALUES IN ('standard') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_standard_default PARTITION OF postern.task_finished_standard DEFAULT;

-- Idempotency keys: a repeated creation with the same key finds its task within the window. An expired key's row is reused.
CREATE TABLE postern.idempotency_key (
  tenant       text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  task         uuid NOT NULL,
  request_hash bytea NOT NULL,
  expires_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_key_expiry ON postern.idempotency_key (expires_at);

CREATE TABLE postern.dependency (
  task       uuid NOT NULL,                -- waits for
  depends_on uuid NOT NULL,
  PRIMARY KEY (depends_on, task)
);

-- Sequels: work that follows from a task's change, because other tasks wait for it or for its key, its callback is due, or it
-- waits itself. A sequel is inserted in the transaction of that change and deleted by the scheduler that processed it, so
-- that none is lost. Without a foreign key, because the task may have been deleted.
CREATE TABLE postern.sequel (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task     uuid NOT NULL,
  tenant   text COLLATE "C" NOT NULL,
  queue    text COLLATE "C" NOT NULL,
  key      text COLLATE "C",
  callback boolean NOT NULL DEFAULT false,
  past     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'  -- dependents up to this one have been seen to
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX sequel_of_task ON postern.sequel (task);
CREATE INDEX sequel_of_tenant ON postern.sequel (tenant, id);

-- Live tasks as they are, with the attempt that is under way. All who read states read this view.
CREATE VIEW postern.task_live AS
  SELECT t.id, l.lease, t.created_at, coalesce(l.claimed_at, t.updated_at) AS updated_at, t.run_at,
         coalesce(l.claimed_at, t.claimed_at) AS claimed_at, t.finished_at, t.deadline, t.lane, t.job_id, t.key_seq,
         t.repeat_seconds, t.hold_seconds, t.timeout_ms,
         CASE WHEN l.task IS NULL THEN t.attempt ELSE least(t.attempt, 2147483646) + 1 END AS attempt, t.attempt_base, t.max_attempts,
         t.result_code, t.result_ms, t.priority, coalesce(l.deferred, false) AS deferred, t.load_results,
         CASE WHEN l.task IS NULL THEN t.state ELSE 'active' END AS state, t.dialect, t.tenant, t.queue, t.method, t.url,
         t.endpoint, CASE WHEN l.task IS NULL THEN t.resolved ELSE l.resolved END AS resolved, t.retry_policy, t.body_form,
         t.content_type, t.headers, t.key, t.idempotency_key, t.on_complete_url, t.on_failure_url, t.traceparent, t.extra,
         t.last_error, t.tags, t.dependencies, t.attempts, t.body, t.reason, t.retention, t.result_headers, t.result_body
    FROM postern.task t LEFT JOIN postern.lease l ON l.task = t.id;

-- Live and finished tasks in one view, for lists and for people with psql; documented and kept stable.
CREATE VIEW postern.task_all AS
  SELECT * FROM postern.task_live UNION ALL SELECT * FROM postern.task_finished;
