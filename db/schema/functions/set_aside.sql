-- The last resort for a task whose row or end is such that its settlement is refused, and would be for ever.

-- Ends the task as failed, 'corrupt_row', if it is under this lease still. If its row cannot even be moved as it is, what names the
-- task is kept and the rest is given up. Counted as `corrupt_rows`.
CREATE OR REPLACE FUNCTION postern.set_aside(p_id uuid, p_lease uuid, p_error text, p_instance uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
BEGIN
  DELETE FROM postern.lease WHERE task = p_id AND lease = p_lease;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  SELECT * INTO t FROM postern.task WHERE id = p_id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  BEGIN
    t.lease := p_lease;
    PERFORM postern.finish(t, p_instance, 'failed', 'corrupt_row', p_error);
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'corrupt_rows');
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
    DELETE FROM postern.task WHERE id = p_id;
    INSERT INTO postern.task_finished (id, lease, tenant, queue, dialect, url, endpoint, state, reason, last_error, finished_at)
    VALUES (t.id, p_lease, t.tenant, t.queue, t.dialect, t.url, t.endpoint, 'failed', 'corrupt_row', p_error, now());
  END;
  RETURN true;
END $$;
