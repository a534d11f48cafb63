-- Retries on request: a finished task becomes live again, a waiting one starts at once.

-- Makes a finished task live again, with a fresh budget of attempts; its earlier attempts are kept. A deadline in the past is
-- dropped, because the task would fail again at once. A task with dependencies or an ordering key is blocked again. Tasks that
-- ended only because it had not completed are brought back by wake. `p_keeps`: it starts no sooner than it would have. REQUIRES:
-- the caller has locked the row.
CREATE OR REPLACE FUNCTION postern.revive(t postern.task_finished, p_instance uuid, p_keeps boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  waits boolean := t.dependencies IS NOT NULL OR t.key IS NOT NULL;
BEGIN
  DELETE FROM postern.task_finished WHERE id = t.id AND finished_at = t.finished_at;
  t.run_at := CASE WHEN p_keeps THEN greatest(t.run_at, now()) ELSE now() END;
  t.state := CASE WHEN waits THEN 'blocked' WHEN t.run_at > now() THEN 'delayed' ELSE 'ready' END;
  t.reason := '';
  t.attempt_base := t.attempt;
  t.updated_at := now();
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
  IF waits OR cardinality(postern.awaited(ARRAY[t.id])) > 0 THEN
    INSERT INTO postern.sequel (task, tenant, queue, key) VALUES (t.id, t.tenant, t.queue, t.key);
  END IF;
  IF t.lane IS NOT NULL THEN  -- otherwise routing will count it as created
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'retried');
  END IF;
  PERFORM pg_notify('postern_ready', CASE WHEN t.state <> 'ready' OR t.lane IS NULL THEN '' ELSE t.lane::text END);
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

-- What is over is retried. `p_rules` as for delete_task; `p_waiting`: the dialects by whose rules what waits starts at
-- once, `p_completed`: those by whose rules what completed is retried, `p_keeping`: those by whose rules it starts no
-- sooner than it would have.
CREATE OR REPLACE FUNCTION postern.retry_task(p_tenant text, p_id uuid, p_since timestamptz, p_instance uuid,
                                   p_rules text, p_waiting text[], p_completed text[], p_keeping text[])
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  over postern.task_finished;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL THEN
    IF found.waits AND coalesce(p_rules, t.dialect) = ANY(p_waiting) THEN
      PERFORM postern.restart(t);
      RETURN 'done';
    END IF;
    RETURN found.state;
  END IF;
  SELECT * INTO over FROM postern.task_finished
   WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant FOR UPDATE;
  IF over.id IS NULL THEN  -- gone, or somebody else has just retried it
    RETURN (SELECT state FROM postern.task_live WHERE id = p_id AND tenant = p_tenant);
  ELSIF over.state = 'completed' AND coalesce(p_rules, over.dialect) <> ALL(p_completed) THEN
    RETURN over.state;
  END IF;
  PERFORM postern.revive(over, p_instance, coalesce(p_rules, over.dialect) = ANY(p_keeping));
  RETURN 'done';
END $$;

-- Retries those of `p_ids` that are failed now, and returns their number. Others are left alone: they may have been retried
-- since the caller's list was made.
CREATE OR REPLACE FUNCTION postern.retry_failed(p_tenant text, p_ids uuid[], p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w uuid;
  n integer := 0;
BEGIN
  FOR w IN SELECT task FROM postern.lock_tasks(p_tenant, p_ids) LOOP
    PERFORM FROM postern.task_finished
      WHERE id = w AND finished_at >= postern.finished_since(w) AND tenant = p_tenant
        AND state = 'failed';
    CONTINUE WHEN NOT FOUND;
    PERFORM postern.retry_task(p_tenant, w, postern.finished_since(w), p_instance, NULL, '{}', '{}', '{}');
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;
