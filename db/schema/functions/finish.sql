-- The end of a live task, and its sequels.

-- Records a sequel of the end of `t`, if there is one.
CREATE OR REPLACE FUNCTION postern.note_sequel(t postern.task) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO postern.sequel (task, tenant, queue, key, callback)
  SELECT t.id, t.tenant, t.queue, t.key, url IS NOT NULL
    FROM (SELECT CASE t.state WHEN 'completed' THEN t.on_complete_url WHEN 'failed' THEN t.on_failure_url END AS url) c
   WHERE t.key IS NOT NULL OR url IS NOT NULL
      OR EXISTS (SELECT FROM postern.dependency d WHERE d.depends_on = t.id)
$$;

-- Ends a live task: the only way out of `task` besides the scheduler's settle. The caller counts it. REQUIRES: the caller has locked
-- the row, and the task is not being delivered or the caller holds its lease.
CREATE OR REPLACE FUNCTION postern.finish_uncounted(t postern.task, p_state text, p_reason text, p_error text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM postern.task WHERE id = t.id;
  t.state := p_state;
  t.reason := p_reason;
  t.last_error := coalesce(p_error, t.last_error);
  t.updated_at := now();
  t.finished_at := now();
  t.retention := coalesce((SELECT CASE p_state WHEN 'completed' THEN q.retention_completed WHEN 'failed' THEN q.retention_failed
                                               ELSE q.retention_cancelled END
                             FROM postern.queue q WHERE q.tenant = t.tenant AND q.name = t.queue), 'standard');
  INSERT INTO postern.task_finished SELECT t.*;
  IF p_reason <> 'unreachable' AND t.dependencies IS NOT NULL THEN
    DELETE FROM postern.dependency d WHERE d.depends_on = ANY(t.dependencies) AND d.task = t.id;
  END IF;
  PERFORM postern.note_sequel(t);
END $$;

-- The same, and counts it.
CREATE OR REPLACE FUNCTION postern.finish(t postern.task, p_instance uuid, p_state text, p_reason text, p_error text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM postern.finish_uncounted(t, p_state, p_reason, p_error);
  PERFORM postern.count_end(t, p_instance, 'finished_' || p_state);
END $$;
