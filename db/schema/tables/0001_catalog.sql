-- Settings of operators and reports of programs: tenants, keys, queues, endpoints, schedules, instances, counters. Runs as
-- postern_owner. All decisions about time use this database's now().
-- min_program: 0.1.0

CREATE TABLE postern.setting (
  name  text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

-- `state` says where the tenant is, of the cells that there are: 'here'; 'arriving' (its rows are being copied into this cell);
-- 'draining' (it is about to leave: nothing of it is claimed), 'fenced' (nothing of it is written) and 'moved' (to the cell
-- `moved_to`, whose public URL is `moved_url`).
CREATE TABLE postern.tenant (
  name       text COLLATE "C" PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  state      text NOT NULL DEFAULT 'here',
  moved_to   text COLLATE "C",
  moved_url  text,
  moved_at   timestamptz,
  CONSTRAINT tenant_name_shape CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  CONSTRAINT tenant_state_known CHECK (state IN ('here', 'arriving', 'draining', 'fenced', 'moved')),
  CONSTRAINT tenant_moved_says_where CHECK (state <> 'moved' OR num_nulls(moved_to, moved_url, moved_at) = 0)
);
-- Those on their way, few among many; and those that have left, whose number only grows, by when.
CREATE INDEX tenant_on_its_way ON postern.tenant (name) WHERE state NOT IN ('here', 'moved');
CREATE INDEX tenant_moved ON postern.tenant (moved_at) WHERE state = 'moved';
INSERT INTO postern.tenant (name) VALUES ('default');

-- The secret that signs a tenant's webhooks; the previous one signs too until previous_until.
CREATE TABLE postern.tenant_secret (
  tenant         text COLLATE "C" PRIMARY KEY REFERENCES postern.tenant,
  secret         text NOT NULL,
  previous       text,
  previous_until timestamptz,
  CONSTRAINT tenant_secret_shape CHECK (secret LIKE 'whsec\_%'),
  CONSTRAINT tenant_secret_previous_has_end CHECK ((previous IS NULL) = (previous_until IS NULL))
);
-- 32 bytes out of two v4 UUIDs: 244 of their bits are random.
INSERT INTO postern.tenant_secret (tenant, secret)
SELECT 'default', 'whsec_' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64');

-- The tenant for which a database role enqueues (SQL door); roles without a row: 'default'.
CREATE TABLE postern.role_tenant (
  role   name PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL REFERENCES postern.tenant
);

CREATE TABLE postern.api_key (
  hash         bytea PRIMARY KEY,          -- SHA-256 of the key, which is not stored
  name         text COLLATE "C" NOT NULL,
  role         text COLLATE "C" NOT NULL,
  tenant       text COLLATE "C" NOT NULL REFERENCES postern.tenant,
  sandbox      boolean NOT NULL DEFAULT false,  -- as the beginning of its text says, for those who list keys
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,                -- to the minute
  expires_at   timestamptz,
  revoked_at   timestamptz,
  CONSTRAINT api_key_name_once UNIQUE (tenant, name),
  CONSTRAINT api_key_role_known CHECK (role IN ('operator', 'admin', 'worker', 'read')),
  CONSTRAINT api_key_hash_length CHECK (octet_length(hash) = 32)
);

-- NULL means: no limit, or the server's default.
CREATE TABLE postern.queue (
  tenant              text COLLATE "C" NOT NULL REFERENCES postern.tenant,
  name                text COLLATE "C" NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now(),
  paused              boolean NOT NULL DEFAULT false,
  discard_old         boolean NOT NULL DEFAULT false,
  max_age             interval,
  max_entries         bigint,
  max_tries           integer,             -- upper limit of a task's attempts
  max_retries         integer NOT NULL DEFAULT 3,
  max_runtime         interval,
  max_concurrent      integer,
  timeout_ms          integer NOT NULL DEFAULT 30000,
  retry_policy        text NOT NULL DEFAULT 'exponential',
  endpoint            text COLLATE "C",                -- default target
  rate_count          integer,             -- tokens per rate_period; rate_burst is the size of the bucket
  rate_period         interval,
  rate_burst          integer,
  rate_tokens         double precision,    -- tokens in the bucket at rate_at
  rate_at             timestamptz,
  retention_completed text NOT NULL DEFAULT 'standard',
  retention_failed    text NOT NULL DEFAULT 'standard',
  retention_cancelled text NOT NULL DEFAULT 'standard',
  PRIMARY KEY (tenant, name),
  CONSTRAINT queue_name_shape CHECK (name ~ '^[a-zA-Z0-9_:-]{1,64}$'),
  CONSTRAINT queue_ranges CHECK (
    max_retries BETWEEN 0 AND 100 AND max_tries >= 1 AND max_entries >= 0 AND max_concurrent >= 1
    AND timeout_ms BETWEEN 1000 AND 1800000 AND max_age > '0' AND max_age <= '300 years' AND max_runtime > '0'
    AND max_runtime <= '24 hours'),
  CONSTRAINT queue_rate_range CHECK (
    (rate_count IS NULL) = (rate_period IS NULL) AND rate_count BETWEEN 1 AND 1000000
    AND rate_period BETWEEN '1 second' AND '1 day' AND rate_burst BETWEEN 1 AND 1000000
    AND rate_tokens BETWEEN -1000000 AND 1000000
    AND rate_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'),
  CONSTRAINT queue_retention_known CHECK (
    retention_completed IN ('short', 'standard') AND retention_failed IN ('short', 'standard')
    AND retention_cancelled IN ('short', 'standard'))
) WITH (fillfactor = 50);                  -- a claim from a queue with a rate updates its row

-- For showing what is paused, here and below, among many.
CREATE INDEX queue_paused ON postern.queue (tenant, name) WHERE paused;
-- For finding the queues whose tasks may get too old, among many.
CREATE INDEX queue_max_age ON postern.queue (tenant, name) WHERE max_age IS NOT NULL;
-- For finding those that may hold more than they are to.
CREATE INDEX queue_discard_old ON postern.queue (tenant, name) WHERE discard_old AND max_entries IS NOT NULL;

-- Named targets. A task that names one gets its URL from it when it is delivered.
CREATE TABLE postern.endpoint (
  tenant         text COLLATE "C" NOT NULL REFERENCES postern.tenant,
  name           text COLLATE "C" NOT NULL,
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
  rate_burst     integer,
  rate_tokens    double precision,
  rate_at        timestamptz,
  paused         boolean NOT NULL DEFAULT false,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, name),
  CONSTRAINT endpoint_name_shape CHECK (name ~ '^[a-zA-Z0-9_:-]{0,128}$'),
  CONSTRAINT endpoint_previous_has_end CHECK ((previous IS NULL) = (previous_until IS NULL)),
  CONSTRAINT endpoint_ranges CHECK (timeout_ms BETWEEN 1000 AND 1800000 AND max_in_flight >= 1),
  CONSTRAINT endpoint_rate_range CHECK (
    (rate_count IS NULL) = (rate_period IS NULL) AND rate_count BETWEEN 1 AND 1000000
    AND rate_period BETWEEN '1 second' AND '1 day' AND rate_burst BETWEEN 1 AND 1000000
    AND rate_tokens BETWEEN -1000000 AND 1000000
    AND rate_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00')
) WITH (fillfactor = 50);

CREATE INDEX endpoint_paused ON postern.endpoint (tenant, name) WHERE paused;

-- Outcomes of the attempts at an endpoint by minute, for its health statistics; not exact enough for accounting. Those of all
-- the tenant's attempts, with or without an endpoint, have the name '/all', which no endpoint can have.
-- `durations` counts by the buckets of core/model/histogram.h.
CREATE TABLE postern.endpoint_minute (
  tenant    text COLLATE "C" NOT NULL,
  endpoint  text COLLATE "C" NOT NULL,
  minute    timestamptz NOT NULL,
  instance  uuid NOT NULL,
  attempts  bigint NOT NULL,
  failed    bigint NOT NULL,
  durations bigint[] NOT NULL,
  PRIMARY KEY (tenant, endpoint, minute, instance)
);

-- What happened by minute in each queue, and under the queue '' in the whole tenant: differences of the counters, for series.
-- Kept for three hours. A queue of which nothing changed has no row; of a tenant at most 1,000 queues have one.
CREATE TABLE postern.queue_minute (
  minute          timestamptz NOT NULL,
  tenant          text COLLATE "C" NOT NULL,
  queue           text COLLATE "C" NOT NULL,
  created         bigint NOT NULL,
  completed       bigint NOT NULL,
  failed          bigint NOT NULL,
  cancelled       bigint NOT NULL,
  attempts        bigint NOT NULL,
  attempts_failed bigint NOT NULL,
  queues          integer NOT NULL DEFAULT 0,        -- of a tenant's row: those that have a row of this minute
  left_out        boolean NOT NULL DEFAULT false,    -- there were more
  PRIMARY KEY (minute, tenant, queue)
);
-- The minutes of which all queues were counted. Of the others nothing is known.
CREATE TABLE postern.counted_minute (
  minute timestamptz PRIMARY KEY
);
-- What the counters of a queue said when they were last looked at.
CREATE TABLE postern.queue_mark (
  tenant          text COLLATE "C" NOT NULL,
  queue           text COLLATE "C" NOT NULL,
  created         bigint NOT NULL,
  completed       bigint NOT NULL,
  failed          bigint NOT NULL,
  cancelled       bigint NOT NULL,
  attempts        bigint NOT NULL,
  attempts_failed bigint NOT NULL,
  PRIMARY KEY (tenant, queue)
) WITH (fillfactor = 50);
-- The pass over all counters that is under way, or was the last: one row. It lies here and not in a scheduler, so that any of
-- them can go on with it.
CREATE TABLE postern.minute_pass (
  one        boolean PRIMARY KEY DEFAULT true,
  minute     timestamptz NOT NULL DEFAULT '-infinity',  -- that it counts
  step_at    timestamptz NOT NULL DEFAULT '-infinity',  -- its last step
  marks_only boolean NOT NULL DEFAULT true,             -- the pass before is too long ago
  done       boolean NOT NULL DEFAULT true,
  tenant     text COLLATE "C" NOT NULL DEFAULT '',      -- the queue that is next
  queue      text COLLATE "C" NOT NULL DEFAULT '',
  CONSTRAINT minute_pass_one CHECK (one)
) WITH (fillfactor = 50);
INSERT INTO postern.minute_pass DEFAULT VALUES;

-- What a lane's id stands for, for people. The id is a hash of the rest (core/model/lane.h), so no task depends on
-- this row. The schedulers write it when they claim from the lane, and collect those that are not used.
CREATE TABLE postern.lane (
  id      bigint PRIMARY KEY,
  tenant  text COLLATE "C" NOT NULL,
  queue   text COLLATE "C" NOT NULL,
  target  text COLLATE "C" NOT NULL,                   -- host[:port], or 'endpoint:' and its name
  used_at timestamptz NOT NULL DEFAULT now()  -- to the hour
);

-- Schedules. `task` is the JSON of the task to make; `spec` is the cron expression, or '@every' and the interval if one was
-- given.
CREATE TABLE postern.schedule (
  tenant           text COLLATE "C" NOT NULL REFERENCES postern.tenant,
  name             text COLLATE "C" NOT NULL,
  spec             text NOT NULL,
  interval_seconds bigint,
  timezone         text NOT NULL DEFAULT 'UTC',
  queue            text COLLATE "C" NOT NULL,
  dialect          text NOT NULL DEFAULT 'native',
  task             text NOT NULL,
  misfire          text NOT NULL DEFAULT 'last',
  misfire_limit    integer NOT NULL DEFAULT 10,
  misfire_window   interval NOT NULL DEFAULT '1 hour',
  overlap          text NOT NULL DEFAULT 'allow',
  jitter           interval NOT NULL DEFAULT '0',
  deadline_offset  interval,
  starts_at        timestamptz,
  ends_at          timestamptz,
  next_at          timestamptz,
  last_at          timestamptz,            -- the last occurrence that was fired or skipped
  last_task        uuid,                   -- of the last run that made one; an overlap is checked against it
  paused           boolean NOT NULL DEFAULT false,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, name),
  CONSTRAINT schedule_name_shape CHECK (name ~ '^[a-zA-Z0-9_:-]{1,128}$'),
  CONSTRAINT schedule_misfire_known CHECK (misfire IN ('skip', 'last', 'all')),
  CONSTRAINT schedule_misfire_limit_range CHECK (misfire_limit BETWEEN 1 AND 100),
  CONSTRAINT schedule_overlap_known CHECK (overlap IN ('allow', 'skip')),
  CONSTRAINT schedule_spans_range CHECK (
    interval_seconds BETWEEN 1 AND 316224000 AND misfire_window BETWEEN '0' AND '30 days' AND jitter BETWEEN '0' AND '1 day'
    AND deadline_offset BETWEEN '30 seconds' AND '3660 days'),
  CONSTRAINT schedule_times_range CHECK (
    starts_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
    AND ends_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
    AND next_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
    AND last_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00')
);
CREATE INDEX schedule_due ON postern.schedule (next_at) WHERE NOT paused;
-- For turns of the tenants. One whose schedules have all ended is not in it.
CREATE INDEX schedule_in_turn ON postern.schedule (tenant, next_at, name) WHERE NOT paused AND next_at IS NOT NULL;

CREATE INDEX schedule_paused ON postern.schedule (tenant, name) WHERE paused;

-- The occurrences that fired or were skipped. The primary key makes an occurrence fire exactly once, over all schedulers.
CREATE TABLE postern.schedule_run (
  tenant       text COLLATE "C" NOT NULL,
  schedule     text NOT NULL,
  nominal_time timestamptz NOT NULL,
  fired_at     timestamptz NOT NULL DEFAULT now(),
  task         uuid,
  skipped      text,                       -- why it made no task
  PRIMARY KEY (tenant, schedule, nominal_time)
);
CREATE INDEX schedule_run_recent ON postern.schedule_run (fired_at);
-- For telling which schedule a task came from.
CREATE INDEX schedule_run_of_task ON postern.schedule_run (task) WHERE task IS NOT NULL;

-- The heartbeats of running programs. `beat` counts up, so that observers need no common clock.
CREATE TABLE postern.instance (
  id         uuid PRIMARY KEY,
  program    text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  version    text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  beat_at    timestamptz NOT NULL DEFAULT now(),
  beat       bigint NOT NULL DEFAULT 0,
  gauges     jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT instance_program_known CHECK (program IN ('postern-fcgi', 'postern-scheduler'))
) WITH (fillfactor = 50);

-- Counters; readers add up the rows of all instances. Each instance writes rows of its own, in the transaction of the event
-- it counts, so that none waits for another. Tenant and queue come first in the key, because the depth of a queue is read
-- from its counters alone.
CREATE TABLE postern.counter (
  instance uuid NOT NULL,
  tenant   text COLLATE "C" NOT NULL,
  queue    text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL,
  value    bigint NOT NULL,
  PRIMARY KEY (tenant, queue, name, instance)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

-- The number of tasks of each queue by state, as last counted by the schedulers. The total comes from the counters.
CREATE TABLE postern.queue_gauge (
  tenant     text COLLATE "C" NOT NULL,
  queue      text COLLATE "C" NOT NULL,
  seen_at    timestamptz NOT NULL,
  ready      bigint NOT NULL,
  delayed    bigint NOT NULL,
  active     bigint NOT NULL,
  blocked    bigint NOT NULL,
  estimated  boolean NOT NULL,
  oldest_due timestamptz,
  lanes      bigint NOT NULL DEFAULT 0,    -- with tasks that are ready
  PRIMARY KEY (tenant, queue)
) WITH (fillfactor = 50);

-- What a tenant's queues held together, counted with them. For quotas.
CREATE TABLE postern.tenant_gauge (
  tenant  text COLLATE "C" PRIMARY KEY,
  waiting bigint NOT NULL,                 -- tasks that are ready, delayed or blocked
  lanes   bigint NOT NULL                  -- with tasks that are ready
) WITH (fillfactor = 50);
