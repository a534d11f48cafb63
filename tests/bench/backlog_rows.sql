-- Inserts tasks that nobody delivers: `delayed` of them due in a day and more, `finished` of them completed in the last day.
INSERT INTO postern.queue (tenant, name) VALUES ('default', 'old') ON CONFLICT DO NOTHING;
INSERT INTO postern.task (id, lane, state, run_at, tenant, queue, url, body)
SELECT postern.new_task_id(), 1 + n % 16, 'delayed', now() + interval '1 day' + n * interval '1 ms', 'default', 'old',
       'http://127.0.0.1:9/', convert_to('{"order":1001,"total":"12.50"}', 'UTF8')
  FROM generate_series(1, :delayed) n;
INSERT INTO postern.task_finished (id, lane, state, finished_at, tenant, queue, url, body)
SELECT postern.new_task_id(), 1 + n % 16, 'completed', now() - random() * interval '20 hours', 'default', 'old',
       'http://127.0.0.1:9/', convert_to('{"order":1001,"total":"12.50"}', 'UTF8')
  FROM generate_series(1, :finished) n;
VACUUM ANALYZE;
CHECKPOINT;
