-- The partitions of task_finished, by day.

-- Makes the partition of `p_class` for one day. False: its lock was not granted within 200 ms, so that no insert has to queue
-- behind it, or somebody else makes it. Rows that fell into the DEFAULT partition in the meantime are moved.
CREATE OR REPLACE FUNCTION postern.make_partition(p_class text, p_day date)
RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
DECLARE
  parent text := 'task_finished_' || p_class;
  part text := parent || '_' || to_char(p_day, 'YYYYMMDD');
BEGIN
  EXECUTE format('CREATE TABLE postern.%I (LIKE postern.%I INCLUDING DEFAULTS INCLUDING INDEXES
                  INCLUDING CONSTRAINTS)', part, parent);
  PERFORM set_config('postern.move', 'deletes', true);  -- a tenant that has left is no hindrance, see fence.sql
  EXECUTE format('WITH moved AS (DELETE FROM postern.%I WHERE finished_at >= %L AND finished_at < %L
                  RETURNING *) INSERT INTO postern.%I SELECT * FROM moved',
                 parent || '_default', p_day, p_day + 1, part);
  EXECUTE format('ALTER TABLE postern.%I ATTACH PARTITION postern.%I FOR VALUES FROM (%L) TO (%L)',
                 parent, part, p_day, p_day + 1);
  RETURN true;
EXCEPTION WHEN lock_not_available OR duplicate_table THEN
  RETURN false;
END $$;

-- Makes the partitions of `p_class` from yesterday to `p_ahead` days ahead. One whose lock is not granted is left for the next
-- call. Returns the number of partitions made.
CREATE OR REPLACE FUNCTION postern.make_partitions(p_class text, p_ahead integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  day date;
  made integer := 0;
BEGIN
  FOR day IN SELECT current_date + n FROM generate_series(-1, p_ahead) n LOOP
    CONTINUE WHEN to_regclass('postern.task_finished_' || p_class || '_' || to_char(day, 'YYYYMMDD')) IS NOT NULL;
    IF postern.make_partition(p_class, day) THEN
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END $$;

-- Drops the oldest partition of `p_class` whose last row finished before `p_before`. Returns its name, or NULL when there
-- is none or its lock was not granted within 200 ms.
CREATE OR REPLACE FUNCTION postern.drop_partition(p_class text, p_before timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
DECLARE
  part text;
BEGIN
  SELECT c.relname INTO part
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = ('postern.task_finished_' || p_class)::regclass
     AND CASE WHEN c.relname ~ '_[0-9]{8}$'
              THEN to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= p_before END
   ORDER BY c.relname LIMIT 1;
  IF part IS NOT NULL THEN
    EXECUTE format('DROP TABLE postern.%I', part);
  END IF;
  RETURN part;
EXCEPTION WHEN lock_not_available THEN
  RETURN NULL;
END $$;
