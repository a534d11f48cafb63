-- Retries on request: a finished task becomes live again, a waiting one starts at once.

-- Makes a finished task live again, with a fresh budget of attempts; its earlier attempts are kept. A deadline in the past is
-- dropped, because the task would fail again at once. A task with dependencies or an ordering key is blocked again.
CREATE OR REPLACE FUNCTION postern.revive(t postern.task_finished, p_instance uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  waits boolean := t.dependencies IS NOT NULL OR t.key IS NOT NULL;
BEGIN
  DELETE FROM postern.task_finished WHERE id = t.id AND finished_at = t.finished_at;
  t.state := CASE WHEN waits THEN 'blocked' ELSE 'ready' END;
  t.reason := '';
  t.attempt_base := t.attempt;
  t.updated_at := now();
  t.run_at := now();
  t.deadline := CASE WHEN t.deadline > now() THEN t.deadline END;
  t.finished_at := NULL;
  t.result_code := NULL;
  t.result_ms := NULL;
  t.result_headers := NULL;
  t.result_body := NULL;
  t.resolved := NULL;
  t.lease := NULL;
  INSERT INTO postern.task SELECT t.*;
  INSERT INTO postern.dependency (task, depends_on)
  SELECT DISTINCT t.id, d FROM unnest(t.dependencies) d ON CONFLICT DO NOTHING;
  IF waits THEN
    INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
  END IF;
  IF t.lane IS NOT NULL THEN  -- otherwise routing will count it as created
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'retried');
  END IF;
  PERFORM pg_notify('postern_ready', CASE WHEN waits OR t.lane IS NULL THEN '' ELSE t.lane::text END);
END $$;

-- Makes a waiting task start at once with a fresh budget of attempts; a blocked one stays blocked.
CREATE OR REPLACE FUNCTION postern.restart(t postern.task) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE postern.task
     SET attempt_base = attempt, updated_at = now(), run_at = least(run_at, now()),
         state = CASE state WHEN 'delayed' THEN 'ready' ELSE state END,
         deadline = CASE WHEN deadline > now() THEN deadline END
   WHERE id = t.id;
  PERFORM pg_notify('postern_ready', '');
END $$;

-- Makes a finished task live again, and the tasks that ended only because it had not completed. REQUIRES: the caller has
-- locked the row, and holds wake (hold_wake) if others depend on the task.
CREATE OR REPLACE FUNCTION postern.retry_finished(p_tenant text, p_id uuid, p_since timestamptz,
                                                  p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task_finished;
  frontier uuid[] := ARRAY[p_id];
BEGIN
  SELECT * INTO t FROM postern.task_finished
   WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant FOR UPDATE;
  IF NOT FOUND THEN
    RETURN (SELECT state FROM postern.task_live WHERE id = p_id AND tenant = p_tenant);
  END IF;
  PERFORM postern.revive(t, p_instance);
  LOOP
    SELECT array_agg(DISTINCT d.task) INTO frontier FROM postern.dependency d WHERE d.depends_on = ANY(frontier);
    EXIT WHEN frontier IS NULL;
    FOR t IN SELECT f.* FROM unnest(frontier) AS n(id)
               JOIN postern.task_finished f ON f.id = n.id AND f.tenant = p_tenant
                AND f.finished_at >= postern.finished_since(n.id) AND f.reason = 'unreachable' ORDER BY f.id FOR UPDATE OF f
    LOOP
      PERFORM postern.revive(t, p_instance);
    END LOOP;
  END LOOP;
  RETURN 'done';
END $$;

-- What is over is retried. `p_rules` as for delete_task; `p_waiting`: the dialects by whose rules what waits starts at
-- once, `p_completed`: those by whose rules what completed is retried. Wake is held before any row is locked: by who
-- brings dependents back, and by who is one.
CREATE OR REPLACE FUNCTION postern.retry_task(p_tenant text, p_id uuid, p_since timestamptz, p_instance uuid,
                                   p_rules text, p_waiting text[], p_completed text[])
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  rules text;
BEGIN
  IF EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = p_id)
     OR EXISTS (SELECT FROM postern.task_finished f
                 WHERE f.id = p_id AND f.finished_at >= p_since AND f.tenant = p_tenant
                   AND f.reason = 'unreachable') THEN
    PERFORM postern.hold_wake();
  END IF;
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL THEN
    rules := coalesce(p_rules, t.dialect);
    IF found.waits AND rules = ANY(p_waiting) THEN
      PERFORM postern.restart(t);
      RETURN 'done';
    END IF;
    RETURN found.state;
  END IF;
  rules := coalesce(p_rules, (SELECT f.dialect FROM postern.task_finished f
                               WHERE f.id = p_id AND f.finished_at >= p_since AND f.tenant = p_tenant));
  IF found.state = 'completed' AND rules <> ALL(p_completed) THEN
    RETURN found.state;
  END IF;
  RETURN postern.retry_finished(p_tenant, p_id, p_since, p_instance);
END $$;

-- Retries those of `p_ids` that are failed now, and returns their number. Others are left alone: they may have been retried
-- since the caller's list was made.
CREATE OR REPLACE FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w uuid;
  n integer := 0;
BEGIN
  FOR w IN SELECT task FROM postern.lock_tasks(p_tenant, p_ids, true) LOOP
    PERFORM FROM postern.task_finished
      WHERE id = w AND finished_at >= postern.finished_since(w) AND tenant = p_tenant
        AND state = 'failed';
    CONTINUE WHEN NOT FOUND;
    PERFORM postern.retry_task(p_tenant, w, postern.finished_since(w), p_instance, NULL, '{}', '{}');
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;
