-- Ids: the time in an id, new ids, and TaskMQ's numbers.

-- A lower bound of finished_at for the task with this id: the time in the id, less a day for clocks that differ. Lookups in
-- task_finished use it to skip older partitions.
CREATE OR REPLACE FUNCTION postern.finished_since(p_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT to_timestamp((('x' || substr(replace(p_id::text, '-', ''), 1, 12))::bit(48)::bigint) / 1000.0) - interval '1 day'
$$;

-- A new UUIDv7, as in core/model/ids.h: the high ten bits of rand_a are the microseconds, so that ids sort by creation. The
-- last eight bytes are those of a v4, which have the variant already.
CREATE OR REPLACE FUNCTION postern.new_task_id() RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(substring(int8send(made / 1000) FROM 3)
                || int2send((28672 + made % 1000 * 4 + (get_byte(random, 0) & 3))::smallint)
                || substring(random FROM 9), 'hex')::uuid
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS made,
                 uuid_send(gen_random_uuid()) AS random) AS parts
$$;

-- The task with this TaskMQ number, or NULL. One statement reads both tables, so that a task that moves between them is
-- found.
CREATE OR REPLACE FUNCTION postern.task_of_job(p_tenant text, p_job_id bigint) RETURNS uuid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT id FROM postern.task WHERE job_id = p_job_id AND tenant = p_tenant
  UNION ALL
  SELECT id FROM postern.task_finished WHERE job_id = p_job_id AND tenant = p_tenant LIMIT 1
$$;
