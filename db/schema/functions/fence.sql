-- The fence around the rows of tenants that move between cells: what triggers refuse and note of them. See db/move.

-- The trigger of those tables whose rows move. Refuses what is written of a tenant that is fenced or has moved, and before that notes
-- which row of one that is about to leave has changed. A refusal holds whatever the snapshot of the writer is: the
-- advisory lock lets postern.move_barrier wait for those who were let through, and one whose snapshot is older than the fence finds
-- the tenant's row changed. `left`: of a tenant that may have left long ago, whose writers nobody waits for; `arriving`: of one that
-- has not arrived yet, whose writers before this trigger was made have been waited for.
CREATE OR REPLACE FUNCTION postern.fence() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_tenant text;
  stands text;  -- the tenant's state
  cell text;
BEGIN
  IF TG_OP = 'DELETE' THEN
    of_tenant := OLD.tenant;
  ELSE
    of_tenant := NEW.tenant;
  END IF;
  IF TG_ARGV[0] NOT IN ('left', 'arriving') AND NOT pg_try_advisory_xact_lock_shared(hashtextextended('postern.move_barrier ' || of_tenant, 0)) THEN
    RAISE EXCEPTION 'the tenant % is on its way to another cell', of_tenant USING ERRCODE = 'PM001';
  END IF;
  IF current_setting('transaction_isolation') = 'read committed' THEN
    SELECT t.state, t.moved_to INTO stands, cell FROM postern.tenant t WHERE t.name = of_tenant;
  ELSE
    BEGIN
      SELECT t.state, t.moved_to INTO stands, cell FROM postern.tenant t WHERE t.name = of_tenant FOR SHARE;
      IF NOT FOUND THEN
        stands := 'arriving';  -- it was not known here before the move
      END IF;
      RAISE EXCEPTION USING ERRCODE = 'PM000';  -- gives the lock back: an open transaction keeps no state from being changed
    EXCEPTION
      WHEN serialization_failure THEN stands := 'fenced';
      WHEN SQLSTATE 'PM000' THEN NULL;
    END;
  END IF;
  IF stands = 'moved' THEN
    RAISE EXCEPTION 'the tenant % has moved to the cell %', of_tenant, cell USING ERRCODE = 'PM002';
  ELSIF stands = 'fenced' THEN
    RAISE EXCEPTION 'the tenant % is on its way to another cell', of_tenant USING ERRCODE = 'PM001';
  ELSIF stands = 'arriving' AND TG_ARGV[0] = 'arriving' THEN
    RAISE EXCEPTION 'the tenant % is on its way into this cell', of_tenant USING ERRCODE = 'PM001';
  END IF;
  CASE TG_ARGV[0]
    WHEN 'task' THEN
      INSERT INTO postern.move_change (tenant, kind, key)
      VALUES (of_tenant, 't', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END);
    WHEN 'lease' THEN
      INSERT INTO postern.move_change (tenant, kind, key)
      VALUES (of_tenant, 't', CASE TG_OP WHEN 'DELETE' THEN OLD.task ELSE NEW.task END);
    WHEN 'task_finished' THEN
      INSERT INTO postern.move_change (tenant, kind, key, at)
      VALUES (of_tenant, 'f', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END,
              CASE TG_OP WHEN 'DELETE' THEN OLD.finished_at ELSE NEW.finished_at END);
    WHEN 'idempotency_key' THEN
      INSERT INTO postern.move_change (tenant, kind, key)
      VALUES (of_tenant, 'k', CASE TG_OP WHEN 'DELETE' THEN OLD.key ELSE NEW.key END);
    WHEN 'schedule_run' THEN
      INSERT INTO postern.move_change (tenant, kind, key, at)
      VALUES (of_tenant, 'r', CASE TG_OP WHEN 'DELETE' THEN OLD.schedule ELSE NEW.schedule END,
              CASE TG_OP WHEN 'DELETE' THEN OLD.nominal_time ELSE NEW.nominal_time END);
    ELSE NULL;  -- copied as a whole at the end, or has left, or has arrived
  END CASE;
  RETURN NULL;
END $$;

-- The tables that the fence is around. `ignored`: the columns whose change alone is neither noted nor refused: a promotion, which the
-- target makes by itself, and a key's last use. `left_events`: what is refused of a tenant that left long ago, which has no rows here
-- but its keys; NULL: nothing, since a row of this table comes of another that there is not.
CREATE OR REPLACE FUNCTION postern.fenced_tables() RETURNS TABLE (name text, ignored text[], left_events text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  VALUES ('task', '{state,updated_at}'::text[], 'INSERT'), ('task_finished', '{}', NULL), ('lease', '{}', NULL),
         ('queue', '{}', 'INSERT'), ('endpoint', '{}', 'INSERT'), ('schedule', '{}', 'INSERT'), ('schedule_run', '{}', NULL),
         ('idempotency_key', '{}', 'INSERT'), ('tenant_secret', '{}', 'INSERT'),
         ('api_key', '{last_used_at}', 'DELETE OR INSERT OR UPDATE');
END;

-- Whether any tenant has left, by one look, however few they are among those that are here.
CREATE OR REPLACE FUNCTION postern.some_left() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) > 0 FROM (SELECT FROM postern.tenant t WHERE t.state = 'moved' ORDER BY t.moved_at LIMIT 1) m
$$;

-- Makes the triggers of one of them what the tenants' states ask for. Those of the tenants that leave name them, and cost others
-- nothing; there are as many names as moves under way. One that has left is among them until the next move begins. From then on
-- `fence_left` asks for the tenant of each row that might be a first one, by one look at an index however many have left: it takes
-- over under the same lock, which nobody holds who has written a row of the table. False: the lock was not granted within 20 ms,
-- for which others have waited; to be tried again. Where there is nobody, there is no trigger in the end: `p_drop` takes away those
-- that have nothing to do, for which even readers wait as long.
-- `fence_arriving` names the tenants that are on their way into this cell, of which the move alone writes first rows: what an
-- application had, or would get, in there of the same name would be taken for rows of the move, and go with them. Once it is made,
-- whoever has written such a row before is seen.
CREATE OR REPLACE FUNCTION postern.move_fence(p_table text, p_drop boolean)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
DECLARE
  leaving text[];
  arriving text[];
  columns text;
  events text;
  some_left boolean := postern.some_left();
  there text[] := ARRAY(SELECT t.tgname FROM pg_trigger t
                         WHERE t.tgrelid = ('postern.' || p_table)::regclass AND t.tgname LIKE 'fence\_%');
BEGIN
  SELECT CASE WHEN f.ignored <> '{}' THEN ' OF ' || (
           SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
            WHERE a.attrelid = ('postern.' || f.name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
              AND a.attname <> ALL(f.ignored)) ELSE '' END, f.left_events
    INTO STRICT columns, events FROM postern.fenced_tables() f WHERE f.name = p_table;
  IF there = '{}' AND NOT some_left AND NOT EXISTS (
       SELECT FROM postern.move m WHERE m.source OR m.step <> 'arrived' AND events = 'INSERT') THEN
    RETURN true;
  END IF;
  -- To drop one asks for the strongest lock. It is taken at once: whoever has looked for rows to change, and now changes them, would
  -- wait for the weaker one, and the stronger one for him.
  IF p_drop THEN
    IF NOT ('fence_left' = ANY(there) AND NOT some_left
            OR 'fence_arriving' = ANY(there) AND NOT EXISTS (SELECT FROM postern.move m WHERE NOT m.source AND m.step <> 'arrived')
            OR 'fence_written' = ANY(there) AND NOT EXISTS (SELECT FROM postern.move m WHERE m.source)) THEN
      RETURN true;
    END IF;
    EXECUTE format('LOCK TABLE postern.%I IN ACCESS EXCLUSIVE MODE', p_table);
  ELSE
    EXECUTE format('LOCK TABLE postern.%I IN SHARE ROW EXCLUSIVE MODE', p_table);
  END IF;
  -- In this order: whoever is no longer among the first has moved already.
  leaving := ARRAY(SELECT m.tenant FROM postern.move m WHERE m.source ORDER BY m.tenant);
  some_left := postern.some_left();
  -- Of keys, see refuse_arriving.
  arriving := ARRAY(SELECT m.tenant FROM postern.move m WHERE NOT m.source AND m.step <> 'arrived' AND events = 'INSERT'
                     ORDER BY m.tenant);

  IF NOT some_left THEN
    IF p_drop AND 'fence_left' = ANY(there) THEN
      EXECUTE format('DROP TRIGGER IF EXISTS fence_left ON postern.%I', p_table);
    END IF;
  ELSIF events IS NOT NULL AND 'fence_left' <> ALL(there) THEN
    EXECUTE format('CREATE OR REPLACE TRIGGER fence_left AFTER %s%s ON postern.%I FOR EACH ROW
                    WHEN (current_setting(''postern.move'', true) IS DISTINCT FROM ''copies'') EXECUTE FUNCTION postern.fence(''left'')',
                   events, CASE WHEN events LIKE '%UPDATE' THEN columns ELSE '' END, p_table);
  END IF;

  IF arriving <> '{}' AND NOT p_drop THEN
    EXECUTE format('CREATE OR REPLACE TRIGGER fence_arriving AFTER INSERT ON postern.%I FOR EACH ROW
                    WHEN (NEW.tenant = ANY(%L::text[]) AND coalesce(current_setting(''postern.move'', true), '''') NOT IN (''copies'', ''deletes''))
                    EXECUTE FUNCTION postern.fence(''arriving'')', p_table, arriving);
  ELSIF arriving = '{}' AND p_drop AND 'fence_arriving' = ANY(there) THEN
    EXECUTE format('DROP TRIGGER IF EXISTS fence_arriving ON postern.%I', p_table);
  END IF;

  IF leaving = '{}' AND (p_drop OR 'fence_written' <> ALL(there)) THEN
    IF 'fence_written' = ANY(there) THEN
      EXECUTE format('DROP TRIGGER IF EXISTS fence_written ON postern.%I', p_table);
      EXECUTE format('DROP TRIGGER IF EXISTS fence_deleted ON postern.%I', p_table);
    END IF;
    RETURN true;
  END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER fence_written AFTER INSERT OR UPDATE%s ON postern.%I FOR EACH ROW
                  WHEN (NEW.tenant = ANY(%L::text[])) EXECUTE FUNCTION postern.fence(%L)', columns, p_table, leaving, p_table);
  EXECUTE format('CREATE OR REPLACE TRIGGER fence_deleted AFTER DELETE ON postern.%I FOR EACH ROW
                  WHEN (OLD.tenant = ANY(%L::text[]) AND current_setting(''postern.move'', true) IS DISTINCT FROM ''deletes'')
                  EXECUTE FUNCTION postern.fence(%L)', p_table, leaving, p_table);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;
