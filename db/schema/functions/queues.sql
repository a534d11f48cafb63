-- Queues end tasks: purge, expiry by max_age, and making room.

-- Ends up to `p_limit` tasks of a queue that were made before `p_before` and are not being delivered, oldest first.
-- Returns their number; below the limit, no more are left.
CREATE OR REPLACE FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamptz, p_state text, p_reason text,
                                    p_instance uuid, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
  n integer := 0;
BEGIN
  FOR t IN SELECT * FROM postern.task k
            WHERE tenant = p_tenant AND queue = p_queue AND created_at <= p_before
              AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id)
            ORDER BY uuid_send(id) LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id);  -- claimed just before the lock was granted
    PERFORM postern.finish(t, p_instance, p_state, p_reason, replace(p_reason, '_', ' '));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Ends up to `p_limit` tasks of each queue that are older than its max_age. The age counts from the start time, or from the
-- creation once a task has been attempted. Returns their number.
CREATE OR REPLACE FUNCTION postern.expire_entries(p_instance uuid, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
  n integer := 0;
BEGIN
  FOR t IN
    SELECT old.* FROM postern.queue q CROSS JOIN LATERAL (
      SELECT * FROM postern.task k
       WHERE k.tenant = q.tenant AND k.queue = q.name
         AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id)
         AND k.created_at < now() - q.max_age AND (k.attempt > k.attempt_base OR k.run_at < now() - q.max_age)
       ORDER BY uuid_send(k.id) LIMIT p_limit FOR UPDATE SKIP LOCKED) old
     WHERE q.max_age IS NOT NULL
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id);
    PERFORM postern.finish(t, p_instance, 'failed', 'max_age', 'it waited longer than the max_age of its queue');
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Makes room in a queue with max_entries, and returns how many of the `p_wanted` tasks may be inserted. It locks the queue
-- until the caller's transaction ends. When the queue holds far more than the limit, because that was lowered, each call
-- discards up to 1,000 tasks more than it admits.
CREATE OR REPLACE FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q postern.queue;
  missing bigint;
  most integer := p_wanted + 1000;
BEGIN
  SELECT * INTO q FROM postern.queue WHERE tenant = p_tenant AND name = p_queue FOR UPDATE;
  IF NOT FOUND OR q.max_entries IS NULL THEN
    RETURN p_wanted;
  END IF;
  missing := postern.queue_depth(p_tenant, p_queue) + p_wanted - q.max_entries;
  IF missing > 0 AND q.discard_old THEN
    missing := least(missing, most)
      - postern.purge_queue(p_tenant, p_queue, now(), 'cancelled', 'discarded', p_instance, least(missing, most)::integer);
  END IF;
  RETURN greatest(0, p_wanted - greatest(0, missing));
END $$;
