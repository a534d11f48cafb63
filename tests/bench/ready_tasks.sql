-- Inserts tasks that are due now, which the scheduler finds all at once; psql sets `tasks`, `hosts` and `port`. Each host
-- has a lane.
BEGIN;
INSERT INTO postern.queue (tenant, name) VALUES ('default', 'bench') ON CONFLICT DO NOTHING;
INSERT INTO postern.task (id, lane, state, tenant, queue, url, body)
SELECT postern.new_task_id(), 1 + n % :hosts, 'ready', 'default', 'bench',
       format('http://%s:%s/', host('127.0.0.1'::inet + n % :hosts), :port),
       convert_to('{"order":1001,"total":"12.50"}', 'UTF8')
  FROM generate_series(1, :tasks) n;
NOTIFY postern_ready;
COMMIT;
