-- Ids: when one was made, new ones, and TaskMQ's numbers.

-- When an id was made, and no task of it can have finished earlier (less a day for clocks that differ).
CREATE OR REPLACE FUNCTION postern.finished_since(p_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT to_timestamp((('x' || substr(replace(p_id::text, '-', ''), 1, 12))::bit(48)::bigint) / 1000.0) - interval '1 day'
$$;

-- A UUIDv7 made now, to the microsecond, as in core/model/ids.h: the high ten bits of rand_a are the microseconds, so what
-- was made later is listed later. The last eight bytes of a v4 already carry the variant.
CREATE OR REPLACE FUNCTION postern.new_task_id() RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(substring(int8send(made / 1000) FROM 3)
                || int2send((28672 + made % 1000 * 4 + (get_byte(random, 0) & 3))::smallint)
                || substring(random FROM 9), 'hex')::uuid
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS made,
                 uuid_send(gen_random_uuid()) AS random) AS parts
$$;

-- The task that TaskMQ's clients know by this number, or NULL. Both tables are read in one statement, so that a task that
-- moves between them is not missed.
CREATE OR REPLACE FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) RETURNS uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT id FROM postern.task WHERE job_id = p_job_id AND tenant = p_tenant
  UNION ALL
  SELECT id FROM postern.task_finished WHERE job_id = p_job_id AND tenant = p_tenant LIMIT 1
$$;
