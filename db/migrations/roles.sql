-- The roles, least privilege each; run before the migrations whenever one is missing. Roles belong to the
-- cluster, so another database's migrator may be making them at the same moment.
DO $$
DECLARE
  r record;
BEGIN
  FOR r IN VALUES ('postern_owner', 'NOLOGIN'), ('postern_api', 'LOGIN'),
                  ('postern_scheduler', 'LOGIN'), ('postern_enqueue', 'NOLOGIN')
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.column1) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I %s', r.column1, r.column2);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
    END IF;
  END LOOP;
  -- A migrator that is no superuser acts for the owner.
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT postern_owner TO %I', current_user);
  END IF;
END $$;

-- Seat belts; a role can lift its own, so they are no fence.
ALTER ROLE postern_api SET statement_timeout = '5s';
ALTER ROLE postern_api SET lock_timeout = '2s';
ALTER ROLE postern_api SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE postern_scheduler SET statement_timeout = '15s';
ALTER ROLE postern_scheduler SET lock_timeout = '5s';
ALTER ROLE postern_scheduler SET idle_in_transaction_session_timeout = '10s';

-- A queue's table is empty at one moment and holds a million rows at the next, so what the planner knows of it is
-- always wrong (a plan made for ten rows: 500 webhooks/s instead of 10,000). Every statement of the scheduler has one right
-- plan, an index descent per row; these leave it no other.
ALTER ROLE postern_scheduler SET enable_seqscan = off;
ALTER ROLE postern_scheduler SET enable_bitmapscan = off;
ALTER ROLE postern_scheduler SET enable_hashjoin = off;
ALTER ROLE postern_scheduler SET enable_mergejoin = off;
ALTER ROLE postern_scheduler SET enable_material = off;
ALTER ROLE postern_scheduler SET enable_sort = off;
-- What must be read whole all the same (the few rows of `instance`) now looks so expensive that it would be compiled
-- first: 230 ms for a query of 0.1 ms.
ALTER ROLE postern_scheduler SET jit = off;
