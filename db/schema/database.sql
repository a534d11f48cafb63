-- What the roles need of the database itself, and the schema; runs at every migration, as whoever migrates. The database
-- may be an application's: nothing is taken from anybody, and nothing is given that is there already, by way of PUBLIC.
DO $$
DECLARE
  r record;
  statement text;
  missing text[] := '{}';
  owner text := (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'postern');
BEGIN
  FOR r IN VALUES ('postern_migrator'), ('postern_api'), ('postern_scheduler'), ('postern_operator')
  LOOP
    CONTINUE WHEN has_database_privilege(r.column1, current_database(), 'CONNECT');
    statement := format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), r.column1);
    BEGIN
      EXECUTE statement;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    -- Without the right to grant it, GRANT may only warn.
    IF NOT has_database_privilege(r.column1, current_database(), 'CONNECT') THEN missing := missing || statement; END IF;
  END LOOP;
  IF owner IS NULL AND NOT has_database_privilege(current_database(), 'CREATE') THEN
    missing := missing || format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user);
  END IF;
  IF missing <> '{}' THEN
    RAISE insufficient_privilege USING MESSAGE = format(
      '%s lacks rights on the database %s. Run as its owner %s or a superuser: %s;', current_user, current_database(),
      (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()),
      array_to_string(missing, '; '));
  END IF;
  IF owner IS NULL THEN
    CREATE SCHEMA postern AUTHORIZATION postern_owner;
  ELSIF owner <> 'postern_owner' THEN
    RAISE insufficient_privilege USING MESSAGE = format(
      'the schema postern of the database %s belongs to %s, and must belong to postern_owner with all that is in it. Was it '
      'restored without its owners? Drop it, run `postern migrate --roles`, and restore it with them', current_database(), owner);
  END IF;
END $$;
