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
  RETURN ARRAY(SELECT i FROM unnest(p_ids) i WHERE EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = i));
END $$;

-- Sees to sequels, the oldest first: looks again at their tasks, at the dependents of these, and at the next tasks of their
-- ordering keys. A blocked task is released when all its dependencies are completed and no task of its key is before it. One
-- with a dependency that will not complete ends as unreachable, which leaves a sequel of its own. Only one wake runs at a time,
-- and what it reads is newer than its lock: a transaction that changes that leaves a sequel, which is seen to after its commit.
--
-- One call looks at `p_most` tasks, more or less. Of a task with more dependents than that a sequel with the rest is put behind
-- all others.
--
-- Returns the sequels that are done, for the caller to delete; NULL when another wake is running. `lanes`: of those that are
-- ready now. `later`: some will be, or are to be looked at again in a moment. `more`: sequels are left.
CREATE OR REPLACE FUNCTION postern.wake(p_instance uuid, p_sequels bigint[], p_most integer,
                                        OUT done bigint[], OUT lanes bigint[], OUT later boolean, OUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s postern.sequel;
  t postern.task;
  dependents uuid[];
  looked uuid[] := '{}';
  live integer;
  held integer;
  broken boolean;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.wake', 0)) THEN
    RETURN;
  END IF;
  done := '{}';
  lanes := '{}';
  later := false;
  more := false;
  FOR s IN SELECT * FROM postern.sequel q WHERE q.id = ANY(p_sequels) ORDER BY q.id LOOP
    IF cardinality(looked) >= p_most THEN
      more := true;
      EXIT;
    END IF;
    dependents := ARRAY(
      SELECT d.task FROM postern.dependency d
       WHERE d.depends_on = s.task AND d.task > s.past ORDER BY d.task LIMIT p_most);
    IF cardinality(dependents) = p_most THEN
      INSERT INTO postern.sequel (task, tenant, queue, past) VALUES (s.task, s.tenant, s.queue, dependents[p_most]);
      more := true;
    END IF;
    looked := looked || s.task || dependents;
    IF s.key IS NOT NULL THEN
      looked := looked || ARRAY(
        SELECT b.id FROM postern.task b
         WHERE b.tenant = s.tenant AND b.queue = s.queue AND b.key = s.key AND b.state = 'blocked'
         ORDER BY b.key_seq LIMIT 1);
    END IF;
    done := done || s.id;
  END LOOP;

  FOR t IN SELECT * FROM postern.task k WHERE k.state = 'blocked' AND k.id = ANY(looked) ORDER BY k.id FOR UPDATE LOOP
    IF t.dependencies IS NOT NULL THEN
      SELECT count(l.id), coalesce(bool_or(l.id IS NULL AND f.state IS DISTINCT FROM 'completed'), false)
        INTO live, broken
        FROM unnest(t.dependencies) AS d(id)
        LEFT JOIN LATERAL (SELECT k.id FROM postern.task k WHERE k.id = d.id AND k.tenant = t.tenant OFFSET 0) l ON true
        LEFT JOIN LATERAL (
          SELECT k.state FROM postern.task_finished k
           WHERE k.id = d.id AND k.tenant = t.tenant AND k.finished_at >= postern.finished_since(d.id) OFFSET 0) f ON true;
      IF broken THEN
        PERFORM postern.finish(t, p_instance, 'failed', 'unreachable', 'a task it depends on did not complete');
        more := true;
        CONTINUE;
      END IF;
      IF live > 0 THEN
        -- A transaction that is ending one of them right now may have looked for dependents before this task was inserted.
        SELECT count(*) INTO held FROM (
          SELECT FROM postern.task l WHERE l.id = ANY(t.dependencies) AND l.tenant = t.tenant FOR KEY SHARE SKIP LOCKED) k;
        IF held < live THEN
          INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
          later := true;
        END IF;
        CONTINUE;
      END IF;
    END IF;
    -- Two questions with an index each, since a key may have any number of tasks; the first in an order that only its own has.
    CONTINUE WHEN t.key IS NOT NULL AND (
      t.key_seq > (SELECT o.key_seq FROM postern.task o
                    WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.key = t.key ORDER BY o.key_seq LIMIT 1)
      OR EXISTS (SELECT FROM postern.task o
                  WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.key = t.key AND o.state <> 'blocked'));
    -- It is due from now on: its lane goes by starts, and claims do not look behind them.
    UPDATE postern.task
       SET state = CASE WHEN run_at > now() THEN 'delayed' ELSE 'ready' END, run_at = greatest(run_at, now()), updated_at = now()
     WHERE id = t.id
    RETURNING * INTO t;
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
    IF t.state = 'ready' AND t.lane IS NOT NULL THEN
      lanes := lanes || t.lane;
    ELSE
      later := true;
    END IF;
  END LOOP;
END $$;
