-- Dependencies and ordering keys: which task waits for which.

-- Takes the lock of wake until the end of this transaction: meanwhile no wake runs, and no other transaction that takes this
-- lock changes which task waits for which.
CREATE OR REPLACE FUNCTION postern.hold_wake() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_advisory_xact_lock(hashtextextended('postern.wake', 0))
$$;

-- Those of `p_ids` that other tasks wait for, in a new snapshot. A settle calls this after it has locked the tasks, when its
-- own snapshot would miss dependents that were inserted since.
CREATE OR REPLACE FUNCTION postern.awaited(p_ids uuid[]) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ARRAY(SELECT DISTINCT d.depends_on FROM postern.dependency d WHERE d.depends_on = ANY(p_ids));
END $$;

-- Re-evaluates waiting tasks: `p_ids` themselves, their dependents, and the next tasks of their ordering keys. A blocked task
-- is released when all its dependencies are completed and no task of its key is before it. One with a dependency that will
-- not complete ends as unreachable, and so do its dependents. Returns NULL when another scheduler is running it; call again.
-- Only one runs at a time, and each step takes a new snapshot. A transaction that changes what was read here leaves a
-- sequel, which is processed after this one's commit.
CREATE OR REPLACE FUNCTION postern.wake(p_instance uuid, p_ids uuid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  frontier uuid[] := p_ids;
  ended uuid[];
  t postern.task;
  live integer;
  held integer;
  broken boolean;
  woken integer := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.wake', 0)) THEN
    RETURN NULL;
  END IF;
  WHILE frontier IS NOT NULL LOOP
    ended := NULL;
    FOR t IN
      SELECT k.* FROM postern.task k
       WHERE k.state = 'blocked' AND k.id = ANY(ARRAY(
         SELECT unnest(frontier)
          UNION SELECT d.task FROM postern.dependency d WHERE d.depends_on = ANY(frontier)
          UNION SELECT n.id FROM unnest(frontier) AS f(id) JOIN postern.sequel s ON s.task = f.id AND s.key IS NOT NULL
            CROSS JOIN LATERAL (SELECT b.id FROM postern.task b
                                 WHERE b.tenant = s.tenant AND b.queue = s.queue AND b.key = s.key AND b.state = 'blocked'
                                 ORDER BY b.key_seq LIMIT 1) n))
       ORDER BY k.id FOR UPDATE
    LOOP
      IF t.dependencies IS NOT NULL THEN
        SELECT count(l.id), coalesce(bool_or(l.id IS NULL AND f.state IS DISTINCT FROM 'completed'), false)
          INTO live, broken
          FROM unnest(t.dependencies) AS d(id)
          LEFT JOIN postern.task l ON l.id = d.id AND l.tenant = t.tenant
          LEFT JOIN postern.task_finished f ON f.id = d.id AND f.tenant = t.tenant
           AND f.finished_at >= postern.finished_since(d.id);
        IF broken THEN
          PERFORM postern.finish(t, p_instance, 'failed', 'unreachable', 'a task it depends on did not complete');
          ended := ended || t.id;
          CONTINUE;
        END IF;
        IF live > 0 THEN
          -- A transaction that is ending one of them right now may have looked for dependents before this task was inserted.
          SELECT count(*) INTO held FROM (
            SELECT FROM postern.task l WHERE l.id = ANY(t.dependencies) AND l.tenant = t.tenant FOR KEY SHARE SKIP LOCKED) k;
          IF held < live THEN
            INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
          END IF;
          CONTINUE;
        END IF;
      END IF;
      CONTINUE WHEN t.key IS NOT NULL AND EXISTS (
        SELECT FROM postern.task o
         WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.key = t.key AND o.id <> t.id
           AND (o.state <> 'blocked' OR o.key_seq < t.key_seq));
      -- It is due from now on: its lane goes by starts, and claims do not look behind them.
      UPDATE postern.task
         SET state = CASE WHEN run_at > now() THEN 'delayed' ELSE 'ready' END, run_at = greatest(run_at, now()), updated_at = now()
       WHERE id = t.id;
      DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
      woken := woken + 1;
    END LOOP;
    frontier := ended;
  END LOOP;
  RETURN woken;
END $$;
