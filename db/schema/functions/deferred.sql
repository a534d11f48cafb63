-- Deferred attempts, whose end the receiver reports later.

-- Appends an attempt's record. Only the last hundred are kept, because each attempt rewrites the whole row. Most tasks have one
-- attempt, and are spared the way through jsonb.
CREATE OR REPLACE FUNCTION postern.recorded(p_attempts json, p_record json) RETURNS json
LANGUAGE sql STABLE
RETURN CASE WHEN p_record IS NULL THEN p_attempts
            WHEN p_attempts::text = '[]' OR json_typeof(p_attempts) <> 'array' THEN json_build_array(p_record)
            WHEN json_array_length(p_attempts) >= 100 THEN ((p_attempts::jsonb - 0) || p_record::jsonb)::json
            ELSE (p_attempts::jsonb || p_record::jsonb)::json END;

-- Settles a deferred attempt as its receiver reports, or extends its lease (`p_state` 'active'). `p_lease` must be the
-- attempt's lease. Returns 'done', the state that forbids it ('active' when the lease is another one), or NULL when there is
-- no such task. A periodic task starts again after its period instead of completing.
CREATE OR REPLACE FUNCTION postern.settle_deferred(
  p_tenant text, p_id uuid, p_since timestamptz, p_lease uuid, p_instance uuid, p_state text, p_reason text,
  p_delay_ms bigint, p_record json, p_outcome text, p_error text, p_code integer, p_ms integer, p_headers text,
  p_answer bytea)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
  t postern.task;
  l postern.lease;
BEGIN
  SELECT * INTO l FROM postern.lease WHERE task = p_id AND lease = p_lease FOR UPDATE;
  SELECT * INTO found FROM postern.lock_task(p_tenant, p_id, p_since);
  t := found.t;
  IF l.task IS NULL OR t.id IS NULL THEN
    RETURN found.state;
  ELSIF p_state = 'active' THEN
    IF l.until < now() THEN
      RETURN found.state;  -- the lease has expired: a scheduler may be settling the attempt
    END IF;
    UPDATE postern.lease SET until = now() + p_delay_ms * interval '1 millisecond' WHERE task = p_id;
    RETURN 'done';
  END IF;
  DELETE FROM postern.lease WHERE task = p_id;
  t.attempt := t.attempt + 1;
  t.claimed_at := l.claimed_at;
  t.resolved := l.resolved;
  t.attempts := postern.recorded(t.attempts, p_record);
  PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'attempts_' || p_outcome);
  IF p_state = 'completed' AND t.repeat_seconds IS NOT NULL THEN
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'finished_completed');
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'retried');
    t.attempt_base := t.attempt;
    t.attempts := json_build_array(p_record);
    p_delay_ms := t.repeat_seconds * 1000;
  ELSIF p_state IN ('completed', 'failed') THEN
    t.result_code := p_code;
    t.result_ms := p_ms;
    t.result_headers := p_headers;
    t.result_body := p_answer;
    t.last_error := p_error;
    t.lease := l.lease;
    PERFORM postern.finish(t, p_instance, p_state, p_reason, p_error);
    PERFORM pg_notify('postern_ready', '');
    RETURN 'done';
  END IF;
  UPDATE postern.task
     SET state = CASE WHEN p_delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
         run_at = now() + p_delay_ms * interval '1 millisecond', attempt = t.attempt, attempt_base = t.attempt_base,
         attempts = t.attempts, last_error = p_error, claimed_at = t.claimed_at, resolved = t.resolved, updated_at = now()
   WHERE id = p_id;
  PERFORM pg_notify('postern_ready', '');
  RETURN 'done';
END $$;
