-- The roles, each with least privilege; runs at every migration. Roles belong to the cluster, so the migrator of another
-- database may make them at the same time. Whoever migrates needs no right here that only a superuser has: CREATEROLE
-- makes what is missing (in PostgreSQL 16 together with ADMIN OPTION, which the maker of a role has), and where nothing
-- is missing a member of postern_owner is enough. What is missing and cannot be made is refused with the statements.
DO $$
DECLARE
  r record;
  statement text;
  missing text[] := '{}';
  -- Since PostgreSQL 16 a member may be one that cannot act as the role.
  acts constant text := CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END;
BEGIN
  FOR r IN VALUES ('postern_owner', 'NOLOGIN'), ('postern_migrator', 'LOGIN'), ('postern_api', 'LOGIN'),
                  ('postern_scheduler', 'LOGIN'), ('postern_operator', 'LOGIN'), ('postern_enqueue', 'NOLOGIN')
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = r.column1);
    statement := format('CREATE ROLE %I %s', r.column1, r.column2);
    BEGIN
      EXECUTE statement;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;
      WHEN insufficient_privilege THEN missing := missing || statement;
    END;
  END LOOP;
  -- Whoever migrates acts as the owner; postern_migrator does so at the next upgrade.
  FOR r IN SELECT DISTINCT m AS member FROM unnest(ARRAY[current_user, 'postern_migrator']::text[]) m
  LOOP
    statement := format('GRANT postern_owner TO %I', r.member);
    BEGIN
      CONTINUE WHEN pg_has_role(r.member, 'postern_owner', acts);
      EXECUTE statement;
    EXCEPTION
      WHEN undefined_object THEN missing := missing || statement;  -- a role that could not be made
      WHEN insufficient_privilege THEN
        IF r.member = current_user THEN missing := missing || statement; END IF;
      WHEN internal_error THEN NULL;  -- "tuple concurrently updated": the other migrator grants the same
    END;
  END LOOP;
  IF missing <> '{}' THEN
    RAISE insufficient_privilege USING MESSAGE = format(
      '%s cannot make the roles that are missing here. Run as a superuser, or as a role with CREATEROLE that made the '
      'other roles of Postern: %s;', current_user, array_to_string(missing, '; '));
  END IF;
END $$;

-- Default timeouts for people who log in as these roles with other tools; the programs set their own when they connect.
-- They are no security boundary, since a role can change its own. Only differing values are set, so that most migrations
-- change nothing here. Who migrates and may not set them goes on without; `postern doctor` names them.
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
    EXCEPTION
      WHEN internal_error THEN NULL;  -- "tuple concurrently updated": the other migrator sets the same
      WHEN insufficient_privilege THEN NULL;
    END;
  END LOOP;
END $$;
