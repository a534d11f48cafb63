-- Moves of tenants between cells: what the operator's command may do at either end. See db/move.

-- Tenants of which schedulers settle nothing: those that are fenced, and those that have moved and whose rows are being deleted.
CREATE OR REPLACE FUNCTION postern.fenced() RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ARRAY(SELECT t.name FROM postern.tenant t WHERE t.state = 'fenced'
               UNION ALL
               SELECT m.tenant FROM postern.move m WHERE m.source AND m.step = 'deleting');
END $$;

-- Waits until the transactions that have written rows of a tenant before it was fenced are over; meanwhile others of its are
-- refused. False: they are not within the time.
CREATE OR REPLACE FUNCTION postern.move_barrier(p_tenant text)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('postern.move_barrier ' || p_tenant, 0));
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

-- The processes that have written rows of a tenant that leaves, and whose transactions are not over.
CREATE OR REPLACE FUNCTION postern.move_writers(p_tenant text) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT ARRAY(SELECT l.pid FROM pg_locks l, hashtextextended('postern.move_barrier ' || p_tenant, 0) k
                WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
                  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                  AND l.classid::bigint = ((k >> 32) & 4294967295) AND l.objid::bigint = (k & 4294967295))
$$;

-- Whether no command is at a move: one would hold its lock, at both ends, for its session. A standby does not know its primary's
-- locks: there a move is left that was not heard of for 5 minutes.
CREATE OR REPLACE FUNCTION postern.move_is_left(p_tenant text, p_updated_at timestamptz) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN pg_is_in_recovery() THEN p_updated_at < now() - interval '5 minutes'
              ELSE pg_try_advisory_xact_lock_shared(hashtextextended('postern.move ' || p_tenant, 0)) END
$$;

-- The keys of a tenant that leaves, with the hashes, which no role may read.
CREATE OR REPLACE FUNCTION postern.move_keys(p_tenant text) RETURNS SETOF postern.api_key
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.* FROM postern.api_key k WHERE k.tenant = p_tenant
     AND EXISTS (SELECT FROM postern.tenant t WHERE t.name = p_tenant AND t.state = 'fenced')
$$;

-- Makes the partition for tasks of `p_class` that finished on `p_day`, unless it is there, and holds it until the caller's
-- transaction ends, so that what is copied into it does not fall into the DEFAULT partition. False: its lock was not granted.
CREATE OR REPLACE FUNCTION postern.move_day(p_class text, p_day date)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
DECLARE
  part text := format('task_finished_%s_%s', p_class, to_char(p_day, 'YYYYMMDD'));
BEGIN
  IF p_class NOT IN ('short', 'standard') OR p_day NOT BETWEEN current_date - 3700 AND current_date + 3 THEN
    RETURN true;  -- a time that no partition is made for
  END IF;
  IF to_regclass('postern.' || part) IS NULL THEN
    PERFORM postern.make_partition(p_class, p_day);
  END IF;
  IF to_regclass('postern.' || part) IS NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('LOCK TABLE postern.%I IN ROW EXCLUSIVE MODE', part);
  RETURN true;
EXCEPTION WHEN lock_not_available OR undefined_table THEN
  RETURN false;
END $$;

-- Raises the sequences of TaskMQ's numbers and of the order in keys to these values, if they are below. They are locked first, by
-- a change that changes nothing: who draws a number between the look and setval would get one that is given out again.
CREATE OR REPLACE FUNCTION postern.move_raise(p_job_id bigint, p_key_seq bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
  ALTER SEQUENCE postern.job_id OWNED BY NONE;
  ALTER SEQUENCE postern.key_seq OWNED BY NONE;
  PERFORM setval('postern.job_id', p_job_id) FROM postern.job_id s WHERE s.last_value < p_job_id;
  PERFORM setval('postern.key_seq', p_key_seq) FROM postern.key_seq s WHERE s.last_value < p_key_seq;
END $$;

-- Forgets at the target what is copied again: of an arriving tenant.
CREATE OR REPLACE FUNCTION postern.move_forget(p_tenant text, p_tasks uuid[], p_finished uuid[], p_finished_at timestamptz[],
                                               p_keys text[], p_schedules text[], p_nominal timestamptz[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM postern.must_arrive(p_tenant);
  DELETE FROM postern.dependency d USING (
    SELECT t.id, unnest(t.dependencies) AS waits_for FROM postern.task t WHERE t.id = ANY(p_tasks) AND t.tenant = p_tenant) o
   WHERE d.depends_on = o.waits_for AND d.task = o.id;
  DELETE FROM postern.lease l WHERE l.task = ANY(p_tasks) AND l.tenant = p_tenant;
  DELETE FROM postern.task t WHERE t.id = ANY(p_tasks) AND t.tenant = p_tenant;
  DELETE FROM postern.dependency d USING unnest(p_finished, p_finished_at) AS n(id, at) CROSS JOIN LATERAL (
    SELECT f.id, unnest(f.dependencies) AS waits_for FROM postern.task_finished f
     WHERE f.id = n.id AND f.finished_at = n.at AND f.tenant = p_tenant AND f.reason = 'unreachable' OFFSET 0) o
   WHERE d.depends_on = o.waits_for AND d.task = o.id;
  FOR i IN 1 .. coalesce(cardinality(p_finished), 0) LOOP
    DELETE FROM postern.task_finished f WHERE f.id = p_finished[i] AND f.finished_at = p_finished_at[i] AND f.tenant = p_tenant;
  END LOOP;
  DELETE FROM postern.idempotency_key k WHERE k.tenant = p_tenant AND k.key = ANY(p_keys);
  DELETE FROM postern.schedule_run r USING unnest(p_schedules, p_nominal) AS n(schedule, at)
   WHERE r.tenant = p_tenant AND r.schedule = n.schedule AND r.nominal_time = n.at;
END $$;

-- The same for the minutes since `p_since`.
CREATE OR REPLACE FUNCTION postern.move_forget_minutes(p_tenant text, p_since timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM postern.must_arrive(p_tenant);
  DELETE FROM postern.queue_minute WHERE tenant = p_tenant AND minute >= p_since;
  DELETE FROM postern.endpoint_minute WHERE tenant = p_tenant AND minute >= p_since;
END $$;

-- The same for all that is copied as a whole, and for the minutes since `p_since`.
CREATE OR REPLACE FUNCTION postern.move_forget_whole(p_tenant text, p_since timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM postern.must_arrive(p_tenant);
  DELETE FROM postern.tenant_secret WHERE tenant = p_tenant;
  DELETE FROM postern.queue WHERE tenant = p_tenant;
  DELETE FROM postern.endpoint WHERE tenant = p_tenant;
  DELETE FROM postern.schedule WHERE tenant = p_tenant;
  DELETE FROM postern.api_key WHERE tenant = p_tenant;
  DELETE FROM postern.sequel WHERE tenant = p_tenant;
  DELETE FROM postern.counter WHERE tenant = p_tenant;
  DELETE FROM postern.queue_mark WHERE tenant = p_tenant;
  PERFORM postern.move_forget_minutes(p_tenant, p_since);
END $$;

CREATE OR REPLACE FUNCTION postern.must_arrive(p_tenant text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM postern.tenant t WHERE t.name = p_tenant AND t.state = 'arriving' FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the tenant % does not arrive in this cell', p_tenant USING ERRCODE = 'PM100';
  END IF;
END $$;

-- Refuses what a command changes of the keys and secrets of an arriving tenant: those of the source replace them all at the end, so
-- that a key that was made would be gone, and one that was revoked would work again.
CREATE OR REPLACE FUNCTION postern.refuse_arriving() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_tenant text := CASE TG_OP WHEN 'DELETE' THEN OLD.tenant ELSE NEW.tenant END;
  stands text;
BEGIN
  -- The lock keeps a move from beginning before this change is seen by it.
  SELECT t.state INTO stands FROM postern.tenant t WHERE t.name = of_tenant FOR SHARE;
  IF stands = 'arriving' THEN
    RAISE EXCEPTION 'the tenant % is on its way into this cell: change its keys and secrets in the cell that it comes from, or here when it has arrived',
      of_tenant USING ERRCODE = 'PM001';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

-- Only where it is not there and at work: to make one locks the table, without which no key is judged, until the migration ends;
-- and `postern doctor` applies this file, too. Tables in the order in which an arrival writes them.
DO $$
DECLARE
  it record;
BEGIN
  FOR it IN VALUES ('tenant_secret', ''), ('api_key', ' OF hash, name, role, tenant, sandbox, expires_at, revoked_at') LOOP
    IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = ('postern.' || it.column1)::regclass
                                               AND t.tgname = 'refuse_arriving' AND t.tgenabled = 'O') THEN
      EXECUTE format('CREATE OR REPLACE TRIGGER refuse_arriving BEFORE INSERT OR DELETE OR UPDATE%s ON postern.%I FOR EACH ROW
                      WHEN (coalesce(current_setting(''postern.move'', true), '''') NOT IN (''copies'', ''deletes''))
                      EXECUTE FUNCTION postern.refuse_arriving()', it.column2, it.column1);
    END IF;
  END LOOP;
END $$;

-- Deletes up to `p_most` rows, more or less, of a tenant that has moved or whose arrival was undone, and returns how many; 0: there
-- are no more. Keys stay, so that the old cell can judge them by their text; whether they work is looked up in the present one.
-- So does the secret of a tenant whose arrival was undone: it is its own.
CREATE OR REPLACE FUNCTION postern.move_delete(p_tenant text, p_most integer)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ids uuid[];
  ats timestamptz[];
  gone bigint := 0;
  n bigint;
  part text;
BEGIN
  IF NOT EXISTS (SELECT FROM postern.tenant t JOIN postern.move m ON m.tenant = t.name
                  WHERE t.name = p_tenant AND (t.state = 'moved' AND m.source AND m.step = 'deleting'
                                               OR t.state = 'arriving' AND NOT m.source AND m.step = 'undoing')) THEN
    RAISE EXCEPTION 'nothing of the tenant % is to be deleted in this cell', p_tenant USING ERRCODE = 'PM100';
  END IF;
  PERFORM set_config('postern.move', 'deletes', true);  -- see fence_deleted
  DELETE FROM postern.tenant_secret s USING postern.tenant t WHERE s.tenant = p_tenant AND t.name = p_tenant AND t.state = 'moved';
  -- What schedulers would look at again and again.
  DELETE FROM postern.schedule WHERE tenant = p_tenant;
  DELETE FROM postern.sequel WHERE tenant = p_tenant;
  ids := ARRAY(SELECT t.id FROM postern.task t WHERE t.tenant = p_tenant ORDER BY t.tenant, t.queue, uuid_send(t.id) LIMIT p_most);
  IF ids <> '{}' THEN
    -- Those whose attempt a receiver may report: each report may put the end off again, by a week at most. And those that wait for
    -- a signal, or will, whose token was given out when they were made.
    INSERT INTO postern.moved_task (task, tenant, until)
    SELECT t.id, t.tenant, interval '30 days' + CASE WHEN l.task IS NULL
             THEN greatest(t.run_at, now()) + t.hold_seconds * interval '1 second' ELSE greatest(l.until, now()) END
      FROM postern.task t LEFT JOIN postern.lease l ON l.task = t.id
     WHERE t.id = ANY(ids) AND (l.task IS NOT NULL OR t.hold_seconds > 0)
       AND EXISTS (SELECT FROM postern.tenant n WHERE n.name = p_tenant AND n.state = 'moved')
    ON CONFLICT (task) DO UPDATE SET tenant = excluded.tenant, until = excluded.until;
    DELETE FROM postern.dependency d USING (
      SELECT t.id, unnest(t.dependencies) AS waits_for FROM postern.task t WHERE t.id = ANY(ids)) o
     WHERE d.depends_on = o.waits_for AND d.task = o.id;
    DELETE FROM postern.lease l WHERE l.task = ANY(ids);
    DELETE FROM postern.task t WHERE t.id = ANY(ids);
    RETURN cardinality(ids);
  END IF;
  SELECT array_agg(f.id), array_agg(f.finished_at) INTO ids, ats
    FROM (SELECT k.id, k.finished_at FROM postern.task_finished k WHERE k.tenant = p_tenant LIMIT p_most) f;
  IF ids IS NOT NULL THEN
    DELETE FROM postern.dependency d USING unnest(ids, ats) AS n(id, at) CROSS JOIN LATERAL (
      SELECT f.id, unnest(f.dependencies) AS waits_for FROM postern.task_finished f
       WHERE f.id = n.id AND f.finished_at = n.at AND f.reason = 'unreachable' OFFSET 0) o
     WHERE d.depends_on = o.waits_for AND d.task = o.id;
    DELETE FROM postern.task_finished f
     WHERE f.tenant = p_tenant AND f.id = ANY(ids) AND f.finished_at BETWEEN (SELECT min(a) FROM unnest(ats) a)
                                                                      AND (SELECT max(a) FROM unnest(ats) a);
    RETURN cardinality(ids);
  END IF;
  FOREACH part IN ARRAY ARRAY['lease', 'idempotency_key', 'schedule_run', 'queue_minute', 'endpoint_minute', 'counter',
                              'queue_mark', 'endpoint', 'queue'] LOOP
    EXECUTE format('DELETE FROM postern.%1$I WHERE ctid = ANY(ARRAY(SELECT ctid FROM postern.%1$I WHERE tenant = $1 LIMIT $2))', part)
      USING p_tenant, p_most;
    GET DIAGNOSTICS n = ROW_COUNT;
    gone := gone + n;
    EXIT WHEN gone >= p_most;
  END LOOP;
  RETURN gone;
END $$;

-- Ends an arrival that was undone, once nothing of it is left: the tenant is as it was, elsewhere or unknown. One that was unknown
-- stays, without anything, when something was made for it meanwhile: a role that enqueues for it.
CREATE OR REPLACE FUNCTION postern.move_leave(p_tenant text, p_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  was_before text;
BEGIN
  DELETE FROM postern.move m WHERE m.tenant = p_tenant AND m.id = p_id AND NOT m.source AND m.step = 'undoing'
  RETURNING m.was INTO was_before;
  IF FOUND THEN
    IF was_before = '' THEN
      BEGIN
        DELETE FROM postern.tenant t WHERE t.name = p_tenant AND t.state = 'arriving';
      EXCEPTION WHEN foreign_key_violation THEN
        UPDATE postern.tenant t SET state = 'here', created_at = now() WHERE t.name = p_tenant AND t.state = 'arriving';
        INSERT INTO postern.tenant_secret (tenant, secret)
        VALUES (p_tenant, 'whsec_' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'))
        ON CONFLICT (tenant) DO NOTHING;
      END;
    ELSE
      UPDATE postern.tenant t SET state = was_before WHERE t.name = p_tenant AND t.state = 'arriving';
    END IF;
  END IF;
END $$;
