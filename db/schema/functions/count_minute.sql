-- What happened in each queue minute by minute, for series: the differences of the counters, which are only read.

-- Goes on with the pass over all counters that makes the rows of the last whole minute, by the queues of about `p_most` counters
-- from its place on, or begins it. True: it is not over. One caller at a time; to another there is nothing to do.
--
-- A pass begins a few seconds after its minute, when what schedulers tell now and then has come in. One that comes more than 90 s
-- after the last step of any pass, or was not preceded by that of the minute before, since that took too long, only notes what the
-- counters say, so that no row covers several minutes; its minute stays unknown.
CREATE OR REPLACE FUNCTION postern.count_minute(p_most integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  whole CONSTANT timestamptz := date_trunc('minute', now() - interval '6 seconds') - interval '1 minute';
  late  boolean;
  pass  postern.minute_pass;
  past_tenant text;                        -- the first queue that was not looked at; NULL: all were
  past_queue  text;
  cut   boolean;                           -- it was the first of all
  away CONSTANT text[] := postern.resting();  -- whose marks go with them
BEGIN
  SELECT * INTO pass FROM postern.minute_pass FOR UPDATE SKIP LOCKED;
  IF pass.one IS NULL OR pass.done AND pass.minute = whole THEN
    RETURN false;
  END IF;
  late := pass.step_at NOT BETWEEN now() - interval '90 seconds' AND now()
          OR pass.done AND pass.minute < whole - interval '1 minute';
  IF pass.done OR late THEN
    pass.minute := whole;
    pass.marks_only := late;
    pass.tenant := '';
    pass.queue := '';
  END IF;

  LOOP
    WITH looked AS MATERIALIZED (
      SELECT c.tenant, c.queue, c.name, c.value FROM postern.counter c
       WHERE (c.tenant, c.queue) >= (pass.tenant, pass.queue) ORDER BY c.tenant, c.queue LIMIT p_most + 1),
    -- The queue of the last may have more of them.
    past AS MATERIALIZED (
      SELECT l.tenant, l.queue FROM looked l OFFSET p_most),
    sums AS MATERIALIZED (
      SELECT l.tenant, l.queue,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'created'), 0)::bigint AS created,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'finished_completed'), 0)::bigint AS completed,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'finished_failed'), 0)::bigint AS failed,
             coalesce(sum(l.value) FILTER (WHERE l.name = 'finished_cancelled'), 0)::bigint AS cancelled,
             coalesce(sum(l.value) FILTER (WHERE l.name IN ('attempts_success', 'attempts_failed', 'attempts_lost')), 0)::bigint AS attempts,
             coalesce(sum(l.value) FILTER (WHERE l.name IN ('attempts_failed', 'attempts_lost')), 0)::bigint AS attempts_failed
        FROM looked l LEFT JOIN past p ON true
       WHERE l.queue <> '' AND l.tenant <> ALL(away) AND (p.tenant IS NULL OR (l.tenant, l.queue) <> (p.tenant, p.queue))
       GROUP BY l.tenant, l.queue),
    changed AS MATERIALIZED (
      SELECT l.*, greatest(0, l.created - coalesce(m.created, 0)) AS n_created,
             greatest(0, l.completed - coalesce(m.completed, 0)) AS n_completed,
             greatest(0, l.failed - coalesce(m.failed, 0)) AS n_failed,
             greatest(0, l.cancelled - coalesce(m.cancelled, 0)) AS n_cancelled,
             greatest(0, l.attempts - coalesce(m.attempts, 0)) AS n_attempts,
             greatest(0, l.attempts_failed - coalesce(m.attempts_failed, 0)) AS n_attempts_failed
        FROM sums l
        LEFT JOIN LATERAL (SELECT * FROM postern.queue_mark k WHERE k.tenant = l.tenant AND k.queue = l.queue) m ON true
       WHERE m.tenant IS NULL
          OR (l.created, l.completed, l.failed, l.cancelled, l.attempts, l.attempts_failed)
             <> (m.created, m.completed, m.failed, m.cancelled, m.attempts, m.attempts_failed)),
    marked AS (
      INSERT INTO postern.queue_mark AS m
      SELECT tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed FROM changed
      ON CONFLICT (tenant, queue) DO UPDATE
         SET created = excluded.created, completed = excluded.completed, failed = excluded.failed, cancelled = excluded.cancelled,
             attempts = excluded.attempts, attempts_failed = excluded.attempts_failed),
    -- The busiest of this step have the room that is left.
    placed AS MATERIALIZED (
      SELECT c.*, row_number() OVER (PARTITION BY c.tenant ORDER BY c.n_created + c.n_attempts + c.n_cancelled DESC, c.queue)
                  + coalesce((SELECT t.queues FROM postern.queue_minute t
                               WHERE t.minute = pass.minute AND t.tenant = c.tenant AND t.queue = ''), 0) AS place
        FROM changed c WHERE NOT pass.marks_only),
    of_queues AS (
      INSERT INTO postern.queue_minute AS m (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed)
      SELECT pass.minute, tenant, queue, n_created, n_completed, n_failed, n_cancelled, n_attempts, n_attempts_failed
        FROM placed WHERE place <= 1000
      ON CONFLICT (minute, tenant, queue) DO UPDATE
         SET created = m.created + excluded.created, completed = m.completed + excluded.completed,
             failed = m.failed + excluded.failed, cancelled = m.cancelled + excluded.cancelled,
             attempts = m.attempts + excluded.attempts, attempts_failed = m.attempts_failed + excluded.attempts_failed),
    of_tenants AS (
      INSERT INTO postern.queue_minute AS m (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed,
                                             queues, left_out)
      SELECT pass.minute, tenant, '', sum(n_created), sum(n_completed), sum(n_failed), sum(n_cancelled), sum(n_attempts),
             sum(n_attempts_failed), count(*) FILTER (WHERE place <= 1000), bool_or(place > 1000)
        FROM placed GROUP BY tenant
      ON CONFLICT (minute, tenant, queue) DO UPDATE
         SET created = m.created + excluded.created, completed = m.completed + excluded.completed,
             failed = m.failed + excluded.failed, cancelled = m.cancelled + excluded.cancelled,
             attempts = m.attempts + excluded.attempts, attempts_failed = m.attempts_failed + excluded.attempts_failed,
             queues = m.queues + excluded.queues, left_out = m.left_out OR excluded.left_out)
    SELECT p.tenant, p.queue, (p.tenant, p.queue) = (SELECT f.tenant, f.queue FROM looked f LIMIT 1) INTO past_tenant, past_queue, cut
      FROM past p;
    -- A queue that alone has more counters is looked at whole.
    EXIT WHEN cut IS NOT TRUE;
    p_most := 2 * p_most;
  END LOOP;

  pass.done := past_tenant IS NULL;
  IF pass.done AND NOT pass.marks_only THEN
    INSERT INTO postern.counted_minute VALUES (pass.minute) ON CONFLICT DO NOTHING;
  END IF;
  UPDATE postern.minute_pass
     SET minute = pass.minute, step_at = now(), marks_only = pass.marks_only, done = pass.done,
         tenant = coalesce(past_tenant, ''), queue = coalesce(past_queue, '');
  RETURN NOT pass.done;
END $$;
