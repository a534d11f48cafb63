-- A script for pgbench: inserts the same row as the intake does for the task that intake.py posts, with an id of the
-- same shape (a UUIDv7, so that the indexes grow at their end, too).
INSERT INTO postern.task (
  id, run_at, lane, timeout_ms, max_attempts, priority, state, dialect, tenant, queue, method, url,
  retry_policy, body_form, body)
VALUES (
  encode(substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
         || '\x7000' || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid,
  now() + interval '1 hour', 1, 30000, 4, 50, 'delayed', 'native', 'default', 'bench', 'POST',
  'http://127.0.0.1:9/', 'exponential', 'payload', convert_to('{"order":1001,"total":"12.50"}', 'UTF8'));
