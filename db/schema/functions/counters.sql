-- Counters: written by one instance each in the transaction of what they count, added up when read.

-- Adds 1 to one counter of this instance.
CREATE OR REPLACE FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO postern.counter AS c VALUES (p_instance, p_tenant, p_queue, p_name, 1)
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + 1
$$;

-- Counts the end of a live task. One that came by the SQL door and ends before it was routed has not been counted yet.
CREATE OR REPLACE FUNCTION postern.count_end(t postern.task, p_instance uuid, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF t.lane IS NULL THEN
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'created');
  END IF;
  PERFORM postern.count_one(p_instance, t.tenant, t.queue, p_name);
END $$;

-- How many live tasks a queue holds, by the counters: exact, but for tasks of the SQL door that no scheduler has seen.
CREATE OR REPLACE FUNCTION postern.queue_depth(p_tenant text, p_queue text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(CASE WHEN name IN ('created', 'retried') THEN value ELSE -value END), 0)::bigint FROM postern.counter
   WHERE tenant = p_tenant AND queue = p_queue
     AND name IN ('created', 'retried', 'deleted', 'finished_completed', 'finished_failed', 'finished_cancelled')
$$;
