-- Queues end tasks: purge, expiry by max_age, and making room.

-- Ends up to `p_limit` tasks of a queue that were made before `p_before` and are not being delivered, oldest first.
-- Returns their number; below the limit, no more are left. A task that is not routed yet is not in its queue: it is not counted in
-- the depth, so that discarding it would make no room.
CREATE OR REPLACE FUNCTION postern.purge_queue(p_tenant text, p_queue text, p_before timestamptz, p_state text, p_reason text,
                                    p_instance uuid, p_limit integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t postern.task;
  n integer := 0;
  unrouted integer := 0;
BEGIN
  FOR t IN SELECT * FROM postern.task k
            WHERE tenant = p_tenant AND queue = p_queue AND created_at <= p_before
              AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id)
              AND (k.lane IS NOT NULL OR p_reason <> 'discarded')
            ORDER BY uuid_send(id) LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    CONTINUE WHEN EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id);  -- claimed just before the lock was granted
    PERFORM postern.finish_uncounted(t, p_state, p_reason, replace(p_reason, '_', ' '));
    n := n + 1;
    unrouted := unrouted + (t.lane IS NULL)::integer;
  END LOOP;
  PERFORM postern.count_ends(p_instance, p_tenant, p_queue, 'finished_' || p_state, n, unrouted);
  RETURN n;
END $$;

-- Looks at up to `p_looks` tasks of queues with max_age, in the order of queues and ids behind a place, and ends up to
-- `p_limit` of them that are older. The age counts from the start time, or from the creation once a task has been attempted.
-- Returns how many, and the place behind which the next call goes on; NULL: there are no more. An empty queue counts as a task.
CREATE OR REPLACE FUNCTION postern.expire_entries(
  p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text, p_id uuid,
  OUT ended bigint, OUT next_tenant text, OUT next_queue text, OUT next_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q record;
  old record;
  t postern.task;
  n integer;
  unrouted integer;
  away constant text[] := postern.resting();
BEGIN
  ended := 0;
  FOR q IN
    SELECT k.tenant, k.name, now() - k.max_age AS before FROM postern.queue k
     WHERE k.max_age IS NOT NULL AND (k.tenant, k.name) >= (p_tenant, p_queue) AND k.tenant <> ALL(away) ORDER BY k.tenant, k.name
  LOOP
    n := 0;
    unrouted := 0;
    FOR old IN
      SELECT k.id, k.created_at < q.before AND (k.attempt > k.attempt_base OR k.run_at < q.before)
                   AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id) AS over
        FROM postern.task k
       WHERE k.tenant = q.tenant AND k.queue = q.name
         AND uuid_send(k.id) > CASE WHEN (q.tenant, q.name) = (p_tenant, p_queue) THEN uuid_send(p_id) ELSE '' END
       ORDER BY uuid_send(k.id) LIMIT p_looks
    LOOP
      p_looks := p_looks - 1;
      IF old.over THEN
        SELECT * INTO t FROM postern.task k WHERE k.id = old.id FOR UPDATE SKIP LOCKED;
        IF FOUND AND t.created_at < q.before AND (t.attempt > t.attempt_base OR t.run_at < q.before)
           AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = t.id) THEN
          PERFORM postern.finish_uncounted(t, 'failed', 'max_age', 'it waited longer than the max_age of its queue');
          n := n + 1;
          unrouted := unrouted + (t.lane IS NULL)::integer;
        END IF;
      END IF;
      EXIT WHEN p_looks <= 0 OR ended + n >= p_limit;
    END LOOP;
    PERFORM postern.count_ends(p_instance, q.tenant, q.name, 'finished_failed', n, unrouted);
    ended := ended + n;
    IF p_looks <= 0 OR ended >= p_limit THEN
      next_tenant := q.tenant;
      next_queue := q.name;
      next_id := old.id;
      RETURN;
    END IF;
    p_looks := p_looks - 1;
    IF p_looks <= 0 THEN
      next_tenant := q.tenant;
      next_queue := q.name;
      next_id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
      RETURN;
    END IF;
  END LOOP;
END $$;

-- Makes room in a queue with max_entries, and returns how many of the `p_wanted` tasks may be inserted. It locks the queue
-- until the caller's transaction ends. It discards no more tasks than it admits: what else is above a limit that was lowered
-- goes by discard_surplus.
CREATE OR REPLACE FUNCTION postern.make_room(p_tenant text, p_queue text, p_wanted integer, p_instance uuid)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q postern.queue;
  missing bigint;
BEGIN
  SELECT * INTO q FROM postern.queue WHERE tenant = p_tenant AND name = p_queue FOR UPDATE;
  IF NOT FOUND OR q.max_entries IS NULL THEN
    RETURN p_wanted;
  END IF;
  missing := least(p_wanted, postern.queue_depth(p_tenant, p_queue) + p_wanted - q.max_entries);
  IF missing > 0 AND q.discard_old THEN
    missing := missing
      - postern.purge_queue(p_tenant, p_queue, now(), 'cancelled', 'discarded', p_instance, missing::integer);
  END IF;
  RETURN p_wanted - greatest(0, missing);
END $$;

-- Looks at up to `p_looks` queues with discard_old behind a place, and discards up to `p_limit` of the tasks that are above their
-- limits. Returns how many, and the place behind which the next call goes on; NULL: there are no more, or another scheduler is at
-- it, who would discard the same surplus. It locks no queue: who makes room beside it discards no more than comes in.
CREATE OR REPLACE FUNCTION postern.discard_surplus(
  p_instance uuid, p_looks integer, p_limit integer, p_tenant text, p_queue text,
  OUT discarded bigint, OUT next_tenant text, OUT next_queue text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q record;
  surplus bigint;
  away constant text[] := postern.resting();
BEGIN
  discarded := 0;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('postern.discard_surplus', 0)) THEN
    RETURN;
  END IF;
  FOR q IN
    SELECT k.tenant, k.name, k.max_entries FROM postern.queue k
     WHERE k.discard_old AND k.max_entries IS NOT NULL AND (k.tenant, k.name) > (p_tenant, p_queue) AND k.tenant <> ALL(away)
     ORDER BY k.tenant, k.name LIMIT p_looks
  LOOP
    p_looks := p_looks - 1;
    surplus := least(p_limit - discarded, postern.queue_depth(q.tenant, q.name) - q.max_entries);
    IF surplus > 0 THEN
      discarded := discarded
        + postern.purge_queue(q.tenant, q.name, now(), 'cancelled', 'discarded', p_instance, surplus::integer);
    END IF;
    IF p_looks = 0 OR discarded >= p_limit THEN
      next_tenant := q.tenant;
      next_queue := q.name;
      RETURN;
    END IF;
  END LOOP;
END $$;
