-- The roles, least privilege each; run at every migrate. Roles belong to the cluster, so another database's migrator may
-- be at them at the same moment.
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
  IF NOT (SELECT rolsuper OR pg_has_role(current_user, 'postern_owner', 'MEMBER')
            FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT postern_owner TO %I', current_user);
  END IF;
END $$;

-- Seat belts for whoever logs in by these roles with a tool of their own; the programs set theirs when they connect. A
-- role can lift its own, so they are no fence. Only what differs is set: most migrators change nothing here.
DO $$
DECLARE
  r record;
BEGIN
  FOR r IN
    SELECT w.column1 AS role, w.column2 AS name, w.column3 AS value
      FROM (VALUES ('postern_api', 'statement_timeout', '5s'),
                   ('postern_api', 'lock_timeout', '2s'),
                   ('postern_api', 'idle_in_transaction_session_timeout', '5s'),
                   ('postern_scheduler', 'statement_timeout', '15s'),
                   ('postern_scheduler', 'lock_timeout', '5s'),
                   ('postern_scheduler', 'idle_in_transaction_session_timeout', '10s')) w
     WHERE NOT EXISTS (
       SELECT FROM pg_db_role_setting s JOIN pg_roles o ON o.oid = s.setrole
        WHERE o.rolname = w.column1 AND s.setdatabase = 0 AND w.column2 || '=' || w.column3 = ANY(s.setconfig))
  LOOP
    BEGIN
      EXECUTE format('ALTER ROLE %I SET %I = %L', r.role, r.name, r.value);
    EXCEPTION WHEN internal_error THEN
      NULL;  -- "tuple concurrently updated": the other migrator sets the same
    END;
  END LOOP;
END $$;
