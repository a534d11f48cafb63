-- Moves of tenants between cells: those under way, what changes meanwhile, and what has gone. Runs as postern_owner.
-- min_program: 0.1.0

-- The moves that this cell is one end of, from their begin until the source's rows are deleted; the same `id` at both ends.
-- `step` is the one that is under way, `place` how far it has come (see db/move).
CREATE TABLE postern.move (
  tenant     text COLLATE "C" PRIMARY KEY REFERENCES postern.tenant,
  id         uuid NOT NULL,
  source     boolean NOT NULL,             -- this cell is the source
  other      text COLLATE "C" NOT NULL,    -- the label of the other cell
  step       text COLLATE "C" NOT NULL,
  was        text NOT NULL DEFAULT '',     -- the tenant's state at the target before: '' unknown, 'here' without anything, 'moved'
  place      text[] NOT NULL DEFAULT '{}',
  rows       bigint NOT NULL DEFAULT 0,    -- that were copied so far
  rounds     bigint NOT NULL DEFAULT 0,    -- how often noted changes were copied; less at the target: its server has lost commits
  other_system   bigint NOT NULL DEFAULT 0,  -- the other cell's server, as this move has met it last; 0: it does not tell
  other_timeline bigint NOT NULL DEFAULT 0,
  begun_at   timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT move_step_known CHECK (step IN ('copying', 'copied', 'arrived', 'deleting', 'undoing'))
);
-- Those whose rows are being deleted at the source: schedulers ask for them at each claim.
CREATE INDEX move_deleting ON postern.move (tenant) WHERE source AND step = 'deleting';

-- What has changed at the source since the move began, and has not been copied again. Written by triggers that are there during a
-- move alone; the same row may be in it many times.
CREATE TABLE postern.move_change (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  kind   "char" NOT NULL,                  -- t: live task, by its id; f: finished one; k: idempotency key; r: run of a schedule
  key    text COLLATE "C" NOT NULL,
  at     timestamptz                       -- f: when it finished; r: its nominal time
);
CREATE INDEX move_change_of_tenant ON postern.move_change (tenant, kind, key, id);

-- The tasks of moved tenants whose completion URLs or signals may still be used, until when.
CREATE TABLE postern.moved_task (
  task   uuid PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  until  timestamptz NOT NULL
);
CREATE INDEX moved_task_until ON postern.moved_task (until);
