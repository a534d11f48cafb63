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
