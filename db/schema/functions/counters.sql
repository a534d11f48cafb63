-- Counters: each instance writes rows of its own, in the transaction of the event it counts; readers add them up.

-- Adds 1 to one counter of this instance.
CREATE OR REPLACE FUNCTION postern.count_one(p_instance uuid, p_tenant text, p_queue text, p_name text)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO postern.counter AS c VALUES (p_instance, p_tenant, p_queue, p_name, 1)
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + 1
$$;

-- Counts the end of a live task. A task of the SQL door that ends before it was routed is counted as created here too, after its
-- end: so whoever ends tasks of both kinds takes the two counters in one order.
CREATE OR REPLACE FUNCTION postern.count_end(t postern.task, p_instance uuid, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM postern.count_one(p_instance, t.tenant, t.queue, p_name);
  IF t.lane IS NULL THEN
    PERFORM postern.count_one(p_instance, t.tenant, t.queue, 'created');
  END IF;
END $$;

-- The same for many of one queue, of which some were not routed: once for all, as each further update of a counter walks over its
-- versions.
CREATE OR REPLACE FUNCTION postern.count_ends(p_instance uuid, p_tenant text, p_queue text, p_name text, p_ended integer,
                                              p_unrouted integer)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
  SELECT p_instance, p_tenant, p_queue, n.name, n.value
    FROM (VALUES (p_name, p_ended), ('created', p_unrouted)) AS n(name, value) WHERE n.value > 0
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value
$$;

-- What counting `p_value` under this name does to how many live tasks a queue holds. core/model/queue.h says the same of a
-- queue's totals.
CREATE OR REPLACE FUNCTION postern.depth_change(p_name text, p_value bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_name IN ('created', 'retried') THEN p_value
            WHEN p_name IN ('deleted', 'finished_completed', 'finished_failed', 'finished_cancelled') THEN -p_value
            ELSE 0 END;

-- The same for how many tasks there are, live and finished, but for what retention has dropped.
CREATE OR REPLACE FUNCTION postern.total_change(p_name text, p_value bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_name = 'created' THEN p_value WHEN p_name IN ('deleted', 'forgotten') THEN -p_value ELSE 0 END;

-- How many live tasks a queue holds, by the counters: exact, but for tasks of the SQL door that no scheduler has seen.
CREATE OR REPLACE FUNCTION postern.queue_depth(p_tenant text, p_queue text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(postern.depth_change(name, value)), 0)::bigint FROM postern.counter
   WHERE tenant = p_tenant AND queue = p_queue
$$;
