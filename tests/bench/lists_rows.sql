-- Inserts `finished` tasks that are over, made evenly in the last four days, most of them in the queue 'big'. One in 1,000
-- has failed; every other one has the tag 'common', one in 50,000 'rare'; every third went to the endpoint 'mail', one in
-- 50,000 to 'seldom'.
INSERT INTO postern.queue (tenant, name)
SELECT 'default', name FROM unnest(ARRAY['big', 'middle', 'small', 'tiny']) name ON CONFLICT DO NOTHING;
DO $$
BEGIN
  FOR n IN 2 .. 4 LOOP
    EXECUTE format('CREATE TABLE postern.task_finished_standard_%s PARTITION OF postern.task_finished_standard '
                   'FOR VALUES FROM (%L) TO (%L)', to_char(now() AT TIME ZONE 'UTC' - n * interval '1 day', 'YYYYMMDD'),
                   date_trunc('day', now(), 'UTC') - n * interval '1 day',
                   date_trunc('day', now(), 'UTC') - (n - 1) * interval '1 day');
  END LOOP;
END $$;
INSERT INTO postern.task_finished (id, lane, created_at, updated_at, run_at, finished_at, state, reason, tenant, queue, url,
                                   endpoint, tags, body)
SELECT encode(substring(int8send((extract(epoch FROM made) * 1000)::bigint) FROM 3) || '\x7000'
              || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid,
       1 + n % 16, made, made, made, made + interval '1 s',
       CASE WHEN n % 1000 = 500 THEN 'failed' ELSE 'completed' END, CASE WHEN n % 1000 = 500 THEN 'exhausted' ELSE '' END,
       'default',
       CASE WHEN n % 10 < 9 THEN 'big' WHEN n % 100 < 99 THEN 'middle' WHEN n % 1000 < 999 THEN 'small' ELSE 'tiny' END,
       CASE WHEN n % 3 > 0 AND n % 50000 <> 1 THEN 'http://127.0.0.1:9/' END,
       CASE WHEN n % 50000 = 1 THEN 'seldom' WHEN n % 3 = 0 THEN 'mail' END,
       CASE WHEN n % 50000 = 0 THEN ARRAY['rare'] WHEN n % 2 = 0 THEN ARRAY['common'] END,
       convert_to('{"order":1001,"total":"12.50"}', 'UTF8')
  FROM (SELECT n, now() - (:finished - n) * interval '4 days' / :finished AS made FROM generate_series(1, :finished) n) t;
-- And `delayed` that are due tomorrow; one in 50,000 has the tag 'rare'.
INSERT INTO postern.task (id, lane, created_at, updated_at, state, run_at, tenant, queue, url, tags, body)
SELECT encode(substring(int8send((extract(epoch FROM made) * 1000)::bigint) FROM 3) || '\x7000'
              || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid,
       1 + n % 16, made, made, 'delayed', now() + interval '1 day' + n * interval '1 ms', 'default', 'later',
       'http://127.0.0.1:9/', CASE WHEN n % 50000 = 0 THEN ARRAY['rare'] END,
       convert_to('{"order":1001,"total":"12.50"}', 'UTF8')
  FROM (SELECT n, now() - (:delayed - n) * interval '4 days' / :delayed AS made FROM generate_series(1, :delayed) n) t;
VACUUM ANALYZE;
CHECKPOINT;
