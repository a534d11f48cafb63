-- Transitions of one task on request: cancel, delete, change. For several tasks, call lock_tasks first.

-- The state of a finished task, or NULL when there is none: tells why there is no live row.
CREATE OR REPLACE FUNCTION postern.finished_state(p_tenant text, p_id uuid, p_since timestamptz)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT state FROM postern.task_finished
   WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant
$$;

-- Locks a live task for a transition, so that no claim takes it. `state`: that of the live or finished task; NULL when there
-- is no such task. `waits`: the task is live and not being delivered. Whether it is, is read after the lock was granted, in a
-- newer snapshot: the lock may have been a claim's until then.
CREATE OR REPLACE FUNCTION postern.lock_task(p_tenant text, p_id uuid, p_since timestamptz,
                                  OUT state text, OUT waits boolean, OUT t postern.task)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT * INTO t FROM postern.task WHERE id = p_id AND tenant = p_tenant FOR UPDATE;
  IF NOT FOUND THEN
    state := postern.finished_state(p_tenant, p_id, p_since);
  ELSIF EXISTS (SELECT FROM postern.lease WHERE task = p_id) THEN
    state := 'active';
  ELSE
    state := t.state;
  END IF;
  waits := coalesce(state IN ('ready', 'delayed', 'blocked'), false);
END $$;

-- Locks those of the tasks that exist, and returns the queue of each. A transaction that changes several tasks calls this
-- first: it locks rows in the order of their ids, before any counter, so that two such transactions cannot deadlock.
CREATE OR REPLACE FUNCTION postern.lock_tasks(p_tenant text, p_ids uuid[])
RETURNS TABLE (task uuid, of_queue text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  FOR task IN SELECT DISTINCT w FROM unnest(p_ids) w ORDER BY w LOOP
    SELECT t.queue INTO of_queue FROM postern.task t
     WHERE t.id = task AND t.tenant = p_tenant FOR UPDATE;
    IF NOT FOUND THEN
      SELECT f.queue INTO of_queue FROM postern.task_finished f
       WHERE f.id = task AND f.finished_at >= postern.finished_since(task)
         AND f.tenant = p_tenant FOR UPDATE;
    END IF;
    CONTINUE WHEN NOT FOUND;
    RETURN NEXT;
  END LOOP;
END $$;

-- Each transition returns 'done', the state that forbids it, or NULL when there is no such task. They are definer functions,
-- because the handlers' role may neither delete a task nor change an attempt.

-- ready, delayed or blocked -> cancelled. After 'done' no attempt starts.
CREATE OR REPLACE FUNCTION postern.cancel_task(p_tenant text, p_id uuid, p_since timestamptz, p_instance uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  IF NOT found.waits THEN
    RETURN found.state;
  END IF;
  PERFORM postern.finish(found.t, p_instance, 'cancelled', 'cancelled', NULL);
  RETURN 'done';
END $$;

-- What waits -> gone, its idempotency key too. `p_rules`: the dialect whose rules hold; NULL: the task's own.
-- `p_any_state`: the dialects by whose rules a task goes whatever state it is in: a delivery under way goes on and keeps its
-- lease, and its end changes nothing.
CREATE OR REPLACE FUNCTION postern.delete_task(p_tenant text, p_id uuid, p_since timestamptz, p_instance uuid,
                                    p_rules text, p_any_state text[])
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  over postern.task_finished;
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF t.id IS NOT NULL AND (found.waits OR coalesce(p_rules, t.dialect) = ANY(p_any_state)) THEN
    DELETE FROM postern.task WHERE id = p_id;
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = p_id;
    PERFORM postern.note_sequel(t);
    PERFORM postern.count_end(t, p_instance, 'deleted');
  ELSIF t.id IS NULL AND found.state IS NOT NULL THEN
    DELETE FROM postern.task_finished
     WHERE id = p_id AND finished_at >= p_since AND tenant = p_tenant
       AND coalesce(p_rules, dialect) = ANY(p_any_state)
    RETURNING * INTO over;
    IF over.id IS NULL THEN
      RETURN found.state;
    END IF;
    t.idempotency_key := over.idempotency_key;
    PERFORM postern.count_one(p_instance, over.tenant, over.queue, 'forgotten');
  ELSE
    RETURN found.state;
  END IF;
  DELETE FROM postern.idempotency_key
   WHERE tenant = p_tenant AND key = t.idempotency_key AND task = p_id;
  RETURN 'done';
END $$;

-- Changes a waiting task; NULL leaves a field unchanged. The start is `p_run_at`, or `p_delay_ms` from now; a task that is
-- due already keeps its place when it is to start at once. The body is replaced by `p_body` when `p_body_form` is given; a
-- raw one keeps its content type unless a new one is given. `p_blocked`: blocked tasks may be changed too. Returns also
-- 'late': the task would start after its deadline.
CREATE OR REPLACE FUNCTION postern.change_task(p_tenant text, p_id uuid, p_since timestamptz, p_blocked boolean,
                                    p_run_at timestamptz, p_delay_ms bigint, p_priority smallint, p_body_form text,
                                    p_body bytea, p_content_type text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  starts timestamptz := coalesce(p_run_at, now() + p_delay_ms * interval '1 millisecond');
BEGIN
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF NOT found.waits OR found.state = 'blocked' AND NOT p_blocked THEN
    RETURN found.state;
  ELSIF starts IS NOT NULL AND greatest(starts, now()) > t.deadline THEN
    RETURN 'late';
  END IF;
  t.run_at := CASE WHEN starts <= now() THEN least(t.run_at, now()) ELSE coalesce(starts, t.run_at) END;
  UPDATE postern.task
     SET run_at = t.run_at, priority = coalesce(p_priority, priority),
         body_form = coalesce(p_body_form, body_form),
         body = CASE WHEN p_body_form IS NULL THEN body ELSE p_body END,
         content_type = CASE p_body_form WHEN 'payload' THEN NULL ELSE coalesce(p_content_type, content_type) END,
         state = CASE WHEN state = 'blocked' THEN state WHEN t.run_at > now() THEN 'delayed' ELSE 'ready' END, updated_at = now()
   WHERE id = p_id;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;
