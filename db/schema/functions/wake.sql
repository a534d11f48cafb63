-- Dependencies and ordering keys: which task waits for which.

-- Those of `p_ids` that other tasks wait for, in a new snapshot. Who ends or retries tasks calls this after it has locked them,
-- when its own snapshot would miss dependents that were inserted since.
CREATE OR REPLACE FUNCTION postern.awaited(p_ids uuid[]) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ARRAY(SELECT i FROM unnest(p_ids) i WHERE EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = i));
END $$;

-- How the dependencies of a task are. `live`: so many are not over. `broken`: one will not complete, or is not there. `unsure`:
-- somebody holds one of those that decide, and may have looked for dependents before this task was inserted. The others are
-- held until the end of this transaction, so that whoever changes one sees this task.
CREATE OR REPLACE FUNCTION postern.weigh_dependencies(p_tenant text, p_ids uuid[],
                                                      OUT live integer, OUT broken boolean, OUT unsure boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  failed uuid[];
  gone boolean;
BEGIN
  SELECT count(l.id), array_agg(f.id) FILTER (WHERE l.id IS NULL AND f.state <> 'completed'),
         coalesce(bool_or(l.id IS NULL AND f.id IS NULL), false)
    INTO live, failed, gone
    FROM unnest(p_ids) AS d(id)
    LEFT JOIN LATERAL (SELECT k.id FROM postern.task k WHERE k.id = d.id AND k.tenant = p_tenant OFFSET 0) l ON true
    LEFT JOIN LATERAL (
      SELECT k.id, k.state FROM postern.task_finished k
       WHERE k.id = d.id AND k.tenant = p_tenant AND k.finished_at >= postern.finished_since(d.id) OFFSET 0) f ON true;
  broken := gone OR failed IS NOT NULL;
  unsure := false;
  IF failed IS NOT NULL AND NOT gone THEN
    unsure := NOT EXISTS (
      SELECT FROM unnest(failed) AS d(id) CROSS JOIN LATERAL (
        SELECT FROM postern.task_finished k
         WHERE k.id = d.id AND k.finished_at >= postern.finished_since(d.id) FOR KEY SHARE SKIP LOCKED) f);
  ELSIF live > 0 AND NOT broken THEN
    unsure := live > (SELECT count(*) FROM (
      SELECT FROM postern.task l WHERE l.id = ANY(p_ids) AND l.tenant = p_tenant FOR KEY SHARE SKIP LOCKED) k);
  END IF;
END $$;

-- Sees to sequels, the oldest of each tenant first: looks again at their tasks, at the dependents of these, and at the next
-- tasks of their ordering keys. A blocked task is released when all its dependencies are completed and no task of its key is
-- before it. One with a dependency that will not complete ends as unreachable, and one that has ended so is live again when
-- none of its dependencies is broken any more; either leaves a sequel of its own. Only one wake runs at a time, and what it
-- reads is newer than its lock: a transaction that changes that leaves a sequel, which is seen to after its commit. It waits for
-- nobody: a task that somebody else holds is looked at again by a sequel of its own.
--
-- One call looks at `p_most` tasks, more or less, of each tenant at its share. Of a task with more dependents than that a sequel
-- with the rest is put behind all others.
--
-- Those of tenants that are not here are left alone. Returns the sequels that are done, for the caller to delete; NULL when another wake is running. `lanes`: of those that are
-- ready now. `later`: some will be. `busy`: some are held by others at this moment.
CREATE OR REPLACE FUNCTION postern.wake(p_instance uuid, p_sequels bigint[], p_most integer, OUT done bigint[],
                                        OUT lanes bigint[], OUT later boolean, OUT busy boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s postern.sequel;
  t postern.task;
  f postern.task_finished;
  of_tenant text;
  share integer;
  looks integer;
  dependents uuid[];
  looked uuid[] := '{}';
  held uuid[] := '{}';
  deps record;
  away text[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.wake', 0)) THEN
    RETURN;
  END IF;
  done := '{}';
  away := postern.resting();
  lanes := '{}';
  later := false;
  share := greatest(1, p_most / greatest(1, (
    SELECT count(DISTINCT q.tenant) FROM postern.sequel q WHERE q.id = ANY(p_sequels) AND q.tenant <> ALL(away))));
  FOR s IN
    SELECT * FROM postern.sequel q WHERE q.id = ANY(p_sequels) AND q.tenant <> ALL(away) ORDER BY q.tenant, q.id
  LOOP
    IF s.tenant IS DISTINCT FROM of_tenant THEN
      of_tenant := s.tenant;
      looks := share;
    END IF;
    CONTINUE WHEN looks <= 0;
    dependents := ARRAY(
      SELECT d.task FROM postern.dependency d
       WHERE d.depends_on = s.task AND d.task > s.past ORDER BY d.task LIMIT looks);
    IF cardinality(dependents) = looks THEN
      INSERT INTO postern.sequel (task, tenant, queue, past) VALUES (s.task, s.tenant, s.queue, dependents[looks]);
    END IF;
    looks := looks - 1 - cardinality(dependents);
    looked := looked || s.task || dependents;
    IF s.key IS NOT NULL THEN
      looked := looked || ARRAY(
        SELECT b.id FROM postern.task b
         WHERE b.tenant = s.tenant AND b.queue = s.queue AND b.key = s.key AND b.state = 'blocked'
         ORDER BY b.key_seq LIMIT 1);
    END IF;
    done := done || s.id;
  END LOOP;

  held := ARRAY(SELECT n.id FROM unnest(looked) AS n(id)
                 WHERE (SELECT k.state FROM postern.task k WHERE k.id = n.id) = 'blocked');
  FOR t IN SELECT * FROM postern.task k WHERE k.state = 'blocked' AND k.id = ANY(looked) ORDER BY k.id FOR UPDATE SKIP LOCKED LOOP
    held := array_remove(held, t.id);
    IF t.dependencies IS NOT NULL THEN
      deps := postern.weigh_dependencies(t.tenant, t.dependencies);
      IF deps.unsure THEN
        held := held || t.id;
        CONTINUE;
      ELSIF deps.broken THEN
        PERFORM postern.finish(t, p_instance, 'failed', 'unreachable', 'a task it depends on did not complete');
        CONTINUE;
      END IF;
      CONTINUE WHEN deps.live > 0;
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

  FOR f IN SELECT o.* FROM unnest(looked) AS n(id) CROSS JOIN LATERAL (
             SELECT * FROM postern.task_finished k
              WHERE k.id = n.id AND k.finished_at >= postern.finished_since(n.id) AND k.reason = 'unreachable' OFFSET 0) o
            WHERE o.updated_at <> now() LOOP  -- what has just ended so is not looked at again
    deps := postern.weigh_dependencies(f.tenant, f.dependencies);
    CONTINUE WHEN deps.broken AND NOT deps.unsure;
    PERFORM FROM postern.task_finished k
      WHERE k.id = f.id AND k.finished_at = f.finished_at FOR UPDATE SKIP LOCKED;
    IF deps.unsure OR NOT FOUND THEN
      held := held || f.id;
      CONTINUE;
    END IF;
    PERFORM postern.revive(f, p_instance, false);
  END LOOP;

  busy := cardinality(held) > 0;
  INSERT INTO postern.sequel (task, tenant, queue, key)
  SELECT n.id, k.tenant, k.queue, k.key FROM (SELECT DISTINCT id FROM unnest(held) AS h(id)) n CROSS JOIN LATERAL (
    SELECT a.tenant, a.queue, a.key FROM postern.task a WHERE a.id = n.id
    UNION ALL
    SELECT a.tenant, a.queue, a.key FROM postern.task_finished a
     WHERE a.id = n.id AND a.finished_at >= postern.finished_since(n.id) OFFSET 0) k;
END $$;
