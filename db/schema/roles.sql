-- The roles, each with least privilege; runs at every migration. Roles belong to the cluster, so the migrator of another
-- database may change them at the same time.
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
  -- A migrator that is no superuser needs to be a member of the owner to act as it.
  IF NOT (SELECT rolsuper OR pg_has_role(current_user, 'postern_owner', 'MEMBER')
            FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT postern_owner TO %I', current_user);
  END IF;
END $$;

-- Default timeouts for people who log in as these roles with other tools; the programs set their own when they connect.
-- They are no security boundary, since a role can change its own. Only differing values are set, so that most migrations
-- change nothing here.
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
