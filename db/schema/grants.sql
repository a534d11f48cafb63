-- The privileges of each role. Earlier grants are revoked first. Runs as postern_owner after the functions, at every
-- migration.

REVOKE ALL ON ALL TABLES IN SCHEMA postern FROM PUBLIC, postern_api, postern_scheduler, postern_operator,
  postern_enqueue;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA postern FROM PUBLIC, postern_api, postern_scheduler, postern_operator,
  postern_enqueue;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC, postern_api, postern_scheduler, postern_operator,
  postern_enqueue;
GRANT USAGE ON SCHEMA postern TO postern_api, postern_scheduler, postern_operator, postern_enqueue;
GRANT SELECT ON postern.applied, postern.setting, postern.tenant, postern.move TO postern_api, postern_scheduler, postern_operator;
GRANT SELECT ON postern.moved_task TO postern_api, postern_operator;

-- The handlers insert tasks and read. They change tasks only through definer functions, which check the state. The operator's
-- command does what they do, and has the same rights by itself: as a member it could act as them.
GRANT SELECT ON postern.task, postern.lease, postern.task_live, postern.task_finished, postern.task_all TO postern_api, postern_operator;
GRANT INSERT ON postern.task TO postern_api, postern_operator;
GRANT USAGE ON SEQUENCE postern.job_id, postern.key_seq TO postern_api, postern_operator;
GRANT SELECT, INSERT, UPDATE ON postern.idempotency_key, postern.counter, postern.instance TO postern_api, postern_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON postern.queue, postern.endpoint, postern.schedule TO postern_api, postern_operator;
GRANT SELECT, INSERT, DELETE ON postern.schedule_run TO postern_api, postern_operator;
GRANT SELECT ON postern.lane TO postern_api, postern_operator;
GRANT SELECT, INSERT ON postern.dependency TO postern_api, postern_operator;
GRANT INSERT ON postern.sequel TO postern_api, postern_operator;
GRANT SELECT ON postern.queue_gauge, postern.tenant_gauge, postern.endpoint_minute, postern.queue_minute,
  postern.counted_minute TO postern_api, postern_operator;
-- What the checks of /v1/health and the doctor look for rows in.
GRANT SELECT ON postern.task_finished_short_default, postern.task_finished_standard_default TO postern_api, postern_operator;
GRANT EXECUTE ON FUNCTION
  postern.authenticate, postern.list_keys, postern.count_keys, postern.create_key, postern.revoke_key, postern.create_tenant,
  postern.count_one, postern.depth_change, postern.total_change, postern.queue_depth, postern.resting,
  postern.endpoint_of, postern.recorded, postern.task_of_job, postern.results_of, postern.finished_since,
  postern.lock_tasks, postern.cancel_task, postern.delete_task, postern.change_task, postern.retry_task,
  postern.retry_failed, postern.settle_deferred, postern.purge_queue, postern.make_room, postern.move_is_left
  TO postern_api, postern_operator;

-- The command besides: tenants, keys and secrets, the pause of everything. A key's hash is written and never
-- read.
GRANT INSERT ON postern.tenant, postern.api_key TO postern_operator;
GRANT SELECT (name, role, tenant, sandbox, created_at, last_used_at, expires_at, revoked_at), UPDATE (revoked_at)
  ON postern.api_key TO postern_operator;
GRANT SELECT, INSERT, UPDATE ON postern.tenant_secret TO postern_operator;
GRANT INSERT, UPDATE ON postern.setting TO postern_operator;
-- And moves of tenants from cell to cell: it reads and copies what there is of a tenant. What it deletes goes by functions, which
-- look at the tenant's state.
GRANT UPDATE (state, created_at, moved_to, moved_url, moved_at) ON postern.tenant TO postern_operator;
GRANT INSERT, UPDATE, DELETE ON postern.move, postern.moved_task TO postern_operator;
GRANT SELECT, DELETE ON postern.move_change TO postern_operator;
GRANT INSERT ON postern.task_finished, postern.lease, postern.endpoint_minute, postern.queue_minute TO postern_operator;
GRANT SELECT ON postern.sequel, postern.role_tenant TO postern_operator;
GRANT SELECT, INSERT ON postern.queue_mark TO postern_operator;
GRANT EXECUTE ON FUNCTION
  postern.move_fence, postern.fenced_tables, postern.move_barrier, postern.move_writers, postern.move_keys, postern.move_day,
  postern.move_raise, postern.move_forget, postern.move_forget_minutes, postern.move_forget_whole, postern.move_delete, postern.move_leave
  TO postern_operator;

-- The schedulers claim and settle tasks and process sequels. Definer functions make and drop partitions.
GRANT SELECT, INSERT, UPDATE, DELETE ON postern.task, postern.lease, postern.lane, postern.counter, postern.instance,
  postern.dependency, postern.schedule_run, postern.queue_gauge, postern.tenant_gauge, postern.endpoint_minute,
  postern.queue_minute, postern.counted_minute, postern.queue_mark TO postern_scheduler;
GRANT SELECT, UPDATE ON postern.minute_pass TO postern_scheduler;
GRANT SELECT, DELETE ON postern.moved_task TO postern_scheduler;
GRANT SELECT, INSERT ON postern.task_finished TO postern_scheduler;
GRANT SELECT, INSERT, DELETE ON postern.sequel TO postern_scheduler;
GRANT SELECT, INSERT, UPDATE ON postern.queue TO postern_scheduler;
GRANT SELECT, UPDATE ON postern.schedule, postern.endpoint TO postern_scheduler;
GRANT SELECT, DELETE, UPDATE (expires_at) ON postern.idempotency_key TO postern_scheduler;  -- UPDATE: to lock
GRANT SELECT ON postern.tenant_secret, postern.task_live, postern.task_all TO postern_scheduler;
GRANT USAGE ON SEQUENCE postern.job_id, postern.key_seq TO postern_scheduler;
GRANT EXECUTE ON FUNCTION
  postern.count_one, postern.depth_change, postern.queue_depth, postern.endpoint_of, postern.recorded,
  postern.new_task_id, postern.finished_since, postern.claim, postern.claimed_tasks, postern.claimed_endpoints,
  postern.allow, postern.refilled, postern.spend, postern.results_of, postern.awaited,
  postern.set_aside, postern.route, postern.wake, postern.expire_entries, postern.discard_surplus, postern.make_room,
  postern.make_partitions, postern.drop_partition, postern.count_minute, postern.resting, postern.fenced TO postern_scheduler;

-- Applications that enqueue inside their own transactions (the SQL door): one function, nothing else.
GRANT EXECUTE ON FUNCTION
  postern.enqueue(text, text, jsonb, interval, timestamptz, integer, integer, jsonb, text, interval, timestamptz, text, text[]),
  postern.enqueue(text, text, bytea, text, interval, timestamptz, integer, integer, jsonb, text, interval, timestamptz, text, text[])
  TO postern_enqueue, postern_operator;
