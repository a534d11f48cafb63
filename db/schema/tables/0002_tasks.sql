-- Live and finished tasks, idempotency keys, dependencies and sequels. Runs as postern_owner.
-- min_program: 0.1.0

-- Live tasks. A finished task is the same row in task_finished, so the two tables have the same columns in the same order: a
-- migration that adds a column to one adds it to the other. No foreign keys: two of them halved the insert rate (619 -> 307
-- batches/s). Columns are ordered from wide and fixed to variable, so that rows need no padding.
CREATE TABLE postern.task (
  id              uuid NOT NULL,           -- UUIDv7
  lease           uuid,                    -- only its holder may settle the attempt
  instance        uuid,                    -- the scheduler that holds the lease
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  run_at          timestamptz NOT NULL DEFAULT now(),
  claimed_at      timestamptz,
  finished_at     timestamptz,
  lease_until     timestamptz,
  deadline        timestamptz,             -- latest start of an attempt
  lane            bigint,                  -- NULL: made by the SQL door and not routed yet
  job_id          bigint,                  -- TaskMQ's number
  key_seq         bigint,                  -- the order within an ordering key
  repeat_seconds  bigint,                  -- periodic task: instead of completing it runs again after this time
  hold_seconds    bigint,                  -- how long an answered webhook waits for a signal
  timeout_ms      integer,                 -- NULL: the endpoint's, else the queue's, when the attempt begins
  attempt         integer NOT NULL DEFAULT 0,   -- attempts begun since the creation
  attempt_base    integer NOT NULL DEFAULT 0,   -- those of them that belong to earlier budgets
  max_attempts    integer NOT NULL DEFAULT 4,   -- of one budget
  result_code     integer,                 -- HTTP status of the last answer, once finished
  result_ms       integer,
  priority        smallint NOT NULL DEFAULT 50,
  deferred        boolean NOT NULL DEFAULT false,  -- the receiver answered 202 and will report the end; the lease continues
  load_results    boolean NOT NULL DEFAULT false,  -- the webhook carries the results of the dependencies
  state           text NOT NULL,
  dialect         text NOT NULL DEFAULT 'native',
  tenant          text NOT NULL,
  queue           text NOT NULL,
  method          text NOT NULL DEFAULT 'POST',
  url             text,
  endpoint        text,
  resolved        text,                    -- the endpoint used by the last attempt; `endpoint` may only begin with its name
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
  reason          text NOT NULL DEFAULT '',     -- why it ended without success
  retention       text NOT NULL DEFAULT 'standard',
  result_headers  text,                    -- JSON object
  result_body     bytea,                   -- first 16 KiB
  PRIMARY KEY (id),
  CONSTRAINT task_state_live CHECK (state IN ('ready', 'delayed', 'active', 'blocked')),
  CONSTRAINT task_not_finished CHECK (finished_at IS NULL AND reason = ''),
  CONSTRAINT task_lease_while_active CHECK (
    (state = 'active') = (lease IS NOT NULL) AND (state = 'active') = (lease_until IS NOT NULL)),
  CONSTRAINT task_priority_range CHECK (priority BETWEEN 0 AND 100),
  CONSTRAINT task_max_attempts_range CHECK (max_attempts >= 1),
  CONSTRAINT task_attempt_order CHECK (attempt >= attempt_base AND attempt_base >= 0),
  CONSTRAINT task_timeout_range CHECK (timeout_ms BETWEEN 1000 AND 86400000),
  CONSTRAINT task_repeat_range CHECK (repeat_seconds > 0),
  CONSTRAINT task_hold_range CHECK (hold_seconds > 0),
  CONSTRAINT task_has_target CHECK ((url IS NULL) <> (endpoint IS NULL)),
  CONSTRAINT task_dialect_known CHECK (dialect IN ('native', 'asyncqueue', 'taskmq', 'asyncjobs')),
  CONSTRAINT task_body_form_known CHECK (body_form IN ('payload', 'raw'))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1);

CREATE INDEX task_ready ON postern.task (lane, priority DESC, run_at, id)
  WHERE state = 'ready' AND lane IS NOT NULL;
CREATE INDEX task_delayed ON postern.task (run_at) WHERE state = 'delayed';
CREATE INDEX task_unrouted ON postern.task (id) WHERE lane IS NULL;
-- For counting the active tasks of a queue and of an endpoint.
CREATE INDEX task_active ON postern.task (tenant, queue) WHERE state = 'active';
CREATE INDEX task_active_at ON postern.task (tenant, resolved) WHERE state = 'active' AND resolved IS NOT NULL;
-- For the rescue of attempts: it reads those under way, and of the deferred ones, which may be many and wait long, only those
-- whose lease has expired.
CREATE INDEX task_leased ON postern.task (deferred, lease_until) WHERE state = 'active';
-- For counting the blocked tasks of a queue.
CREATE INDEX task_blocked ON postern.task (tenant, queue) WHERE state = 'blocked';
CREATE INDEX task_of_key ON postern.task (tenant, queue, key, key_seq) WHERE key IS NOT NULL;
-- For lists, oldest first; a list over all queues merges them. uuid_send(id) instead of id, so that the planner does not use
-- this index to find one id: for a plan made on a nearly empty table, a scan of it looks as cheap as a lookup in the primary
-- key.
CREATE INDEX task_of_queue ON postern.task (tenant, queue, uuid_send(id));
CREATE INDEX task_job_id ON postern.task (job_id) WHERE job_id IS NOT NULL;
CREATE SEQUENCE postern.job_id;
CREATE SEQUENCE postern.key_seq;

-- Finished tasks, partitioned by retention class and then by day of finishing, so that retention drops partitions. A DEFAULT
-- partition always exists, so that a settle never fails. The lease of a deferred attempt is kept, to recognise a receiver
-- that reports its end twice.
CREATE TABLE postern.task_finished (
  LIKE postern.task INCLUDING DEFAULTS,
  CONSTRAINT task_finished_state_over CHECK (state IN ('completed', 'failed', 'cancelled')),
  CONSTRAINT task_finished_at_known CHECK (finished_at IS NOT NULL),
  CONSTRAINT task_finished_lease_over CHECK (lease_until IS NULL)
) PARTITION BY LIST (retention);
CREATE INDEX task_finished_id ON postern.task_finished (id);
CREATE INDEX task_finished_of_queue ON postern.task_finished (tenant, queue, uuid_send(id));
-- For retrying the failed tasks of an endpoint.
CREATE INDEX task_finished_failed ON postern.task_finished (tenant, finished_at)
  WHERE state = 'failed' AND endpoint IS NOT NULL;
CREATE INDEX task_finished_job_id ON postern.task_finished (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE postern.task_finished_short PARTITION OF postern.task_finished
  FOR VALUES IN ('short') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_short_default PARTITION OF postern.task_finished_short DEFAULT;
CREATE TABLE postern.task_finished_standard PARTITION OF postern.task_finished
  FOR VALUES IN ('standard') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_standard_default PARTITION OF postern.task_finished_standard DEFAULT;

-- Idempotency keys: a repeated creation with the same key finds its task within the window. An expired key's row is reused.
CREATE TABLE postern.idempotency_key (
  tenant       text NOT NULL,
  key          text NOT NULL,
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
  tenant   text NOT NULL,
  queue    text NOT NULL,
  key      text,
  callback boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX sequel_of_task ON postern.sequel (task);

-- Live and finished tasks in one view, for lists and for people with psql; documented and kept stable.
CREATE VIEW postern.task_all AS
  SELECT * FROM postern.task UNION ALL SELECT * FROM postern.task_finished;
