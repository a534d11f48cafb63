-- Tasks, live and finished, and what belongs to them. Runs as postern_owner.
-- min_program: 0.1.0

-- Live work only. A finished task is the same row in task_finished, so the two tables keep the same columns in the same
-- order: a migration that adds one to this adds it to that. No foreign keys: two of them halved the insert rate (619 ->
-- 307 batches/s). Columns go from wide and fixed to variable, so that rows are packed without padding.
CREATE TABLE postern.task (
  id              uuid NOT NULL,           -- UUIDv7
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
  job_id          bigint,                  -- TaskMQ's number
  key_seq         bigint,                  -- the order within an ordering key
  repeat_seconds  bigint,                  -- completed means: again, so long after
  hold_seconds    bigint,                  -- an answered webhook waits so long for a signal
  timeout_ms      integer,                 -- NULL: the endpoint's, else the queue's, when the attempt begins
  attempt         integer NOT NULL DEFAULT 0,   -- attempts begun, ever
  attempt_base    integer NOT NULL DEFAULT 0,   -- of which belong to earlier budgets
  max_attempts    integer NOT NULL DEFAULT 4,   -- of one budget
  result_code     integer,                 -- the last answer, once over
  result_ms       integer,
  priority        smallint NOT NULL DEFAULT 50,
  deferred        boolean NOT NULL DEFAULT false,  -- the receiver said 202 and will tell the end; the lease runs on
  load_results    boolean NOT NULL DEFAULT false,  -- the webhook carries what the dependencies were answered
  state           text NOT NULL,
  dialect         text NOT NULL DEFAULT 'native',
  tenant          text NOT NULL,
  queue           text NOT NULL,
  method          text NOT NULL DEFAULT 'POST',
  url             text,
  endpoint        text,
  resolved        text,                    -- the endpoint of the last attempt; `endpoint` may stand for a prefix
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
-- How many run is asked per queue and per endpoint, so the active ones are found by these.
CREATE INDEX task_active ON postern.task (tenant, queue) WHERE state = 'active';
CREATE INDEX task_active_at ON postern.task (tenant, resolved) WHERE state = 'active' AND resolved IS NOT NULL;
-- Deferred attempts may wait in great numbers and for long: a look for attempts whose scheduler is gone reads those under
-- way, and of the deferred ones those whose time is over.
CREATE INDEX task_leased ON postern.task (deferred, lease_until) WHERE state = 'active';
-- How many are blocked is asked per queue. A task that is never blocked is never in here.
CREATE INDEX task_blocked ON postern.task (tenant, queue) WHERE state = 'blocked';
CREATE INDEX task_of_key ON postern.task (tenant, queue, key, key_seq) WHERE key IS NOT NULL;
-- For lists, oldest first; one over all queues merges them. uuid_send, so that nobody mistakes this index for one to find
-- an id by: on a table that was nearly empty when it was planned, reading all of it looks as cheap as one descent of the
-- primary key.
CREATE INDEX task_of_queue ON postern.task (tenant, queue, uuid_send(id));
CREATE INDEX task_job_id ON postern.task (job_id) WHERE job_id IS NOT NULL;
CREATE SEQUENCE postern.job_id;
CREATE SEQUENCE postern.key_seq;

-- The same row once over: by retention class, then by day of finishing, so that retention drops partitions.
-- There is always a DEFAULT, so that settling never fails. The lease of a task whose end was told by its receiver stays:
-- who tells it twice is known by it.
CREATE TABLE postern.task_finished (
  LIKE postern.task INCLUDING DEFAULTS,
  CONSTRAINT task_finished_state_over CHECK (state IN ('completed', 'failed', 'cancelled')),
  CONSTRAINT task_finished_at_known CHECK (finished_at IS NOT NULL),
  CONSTRAINT task_finished_lease_over CHECK (lease_until IS NULL)
) PARTITION BY LIST (retention);
CREATE INDEX task_finished_id ON postern.task_finished (id);
CREATE INDEX task_finished_of_queue ON postern.task_finished (tenant, queue, uuid_send(id));
-- For the recovery of an endpoint: only what failed is looked at.
CREATE INDEX task_finished_failed ON postern.task_finished (tenant, finished_at)
  WHERE state = 'failed' AND endpoint IS NOT NULL;
CREATE INDEX task_finished_job_id ON postern.task_finished (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE postern.task_finished_short PARTITION OF postern.task_finished
  FOR VALUES IN ('short') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_short_default PARTITION OF postern.task_finished_short DEFAULT;
CREATE TABLE postern.task_finished_standard PARTITION OF postern.task_finished
  FOR VALUES IN ('standard') PARTITION BY RANGE (finished_at);
CREATE TABLE postern.task_finished_standard_default PARTITION OF postern.task_finished_standard DEFAULT;

-- A keyed create finds its task again within the window. Expired keys are taken over in place.
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

-- Both tables as one, for people and lists. Documented and kept stable, for psql.
CREATE VIEW postern.task_all AS
  SELECT * FROM postern.task UNION ALL SELECT * FROM postern.task_finished;
