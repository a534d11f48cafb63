-- The SQL door: tasks that an application enqueues inside its own transaction.

-- The common part of the two functions below. Only ranges and the URL's shape are checked here; the scheduler checks the
-- rest before the first send. It inserts nothing but the task's row, so that no other transaction has to wait for this one.
CREATE OR REPLACE FUNCTION postern.enqueue_row(
  p_role name, queue text, url text, form text, bytes bytea, content_type text, delay interval,
  run_at timestamptz, priority integer, max_retries integer, headers jsonb, method text,
  timeout interval, deadline timestamptz, retry_policy text, tags text[])
RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_tenant text := coalesce((SELECT r.tenant FROM postern.role_tenant r WHERE r.role = p_role), 'default');
  v_start timestamptz := coalesce(run_at, now() + delay);
  v_queue postern.queue;
  v_id uuid := postern.new_task_id();
  v_made timestamptz := clock_timestamp();  -- the time in the id: lists find a task by either
  v_timeout bigint := (extract(epoch FROM timeout) * 1000)::bigint;
BEGIN
  IF queue IS NULL OR queue !~ '^[a-zA-Z0-9_:-]{1,64}$' THEN
    RAISE EXCEPTION 'queue: must match ^[a-zA-Z0-9_:-]{1,64}$' USING ERRCODE = 'check_violation';
  ELSIF url IS NULL OR octet_length(url) > 2048
        OR url !~ '^https?://([a-zA-Z0-9_.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?([/?#][!-\[\]-~]*)?$' THEN
    RAISE EXCEPTION 'url: must be an absolute http or https URL without userinfo, at most 2048 bytes'
      USING ERRCODE = 'check_violation';
  ELSIF priority IS NULL OR priority NOT BETWEEN 1 AND 10 THEN
    RAISE EXCEPTION 'priority: must be 1 to 10' USING ERRCODE = 'check_violation';
  ELSIF max_retries NOT BETWEEN 0 AND 100 THEN
    RAISE EXCEPTION 'max_retries: must be 0 to 100' USING ERRCODE = 'check_violation';
  ELSIF delay IS NULL OR delay < interval '0' OR v_start > now() + interval '3660 days' THEN
    RAISE EXCEPTION 'delay, run_at: must be now to ten years ahead' USING ERRCODE = 'check_violation';
  ELSIF v_timeout NOT BETWEEN 1000 AND 1800000 THEN
    RAISE EXCEPTION 'timeout: must be 1 second to 30 minutes' USING ERRCODE = 'check_violation';
  ELSIF deadline < now() THEN
    RAISE EXCEPTION 'deadline: must not be in the past' USING ERRCODE = 'check_violation';
  ELSIF method IS NULL OR method NOT IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE') THEN
    RAISE EXCEPTION 'method: must be GET, POST, PUT, PATCH or DELETE' USING ERRCODE = 'check_violation';
  ELSIF jsonb_typeof(headers) <> 'object' OR jsonb_path_exists(headers, '$.* ? (@.type() != "string")') THEN
    RAISE EXCEPTION 'headers: must be an object of strings' USING ERRCODE = 'check_violation';
  ELSIF octet_length(concat(headers::text, tags::text, content_type, retry_policy)) > 65536 THEN
    RAISE EXCEPTION 'headers, tags, content_type, retry_policy: at most 64 KiB together' USING ERRCODE = 'check_violation';
  ELSIF octet_length(bytes) > 16777216 THEN
    RAISE EXCEPTION 'payload: at most 16 MiB' USING ERRCODE = 'check_violation';
  END IF;
  SELECT * INTO v_queue FROM postern.queue q WHERE q.tenant = v_tenant AND q.name = enqueue_row.queue;
  INSERT INTO postern.task (
    id, created_at, updated_at, run_at, deadline, timeout_ms, max_attempts, priority, state, tenant, queue, method,
    url, retry_policy, body_form, content_type, headers, tags, body)
  VALUES (
    v_id, v_made, v_made, v_start, deadline, coalesce(v_timeout, v_queue.timeout_ms, 30000),
    1 + coalesce(max_retries, v_queue.max_retries, 3), priority * 10,
    CASE WHEN v_start > clock_timestamp() THEN 'delayed' ELSE 'ready' END, v_tenant, queue, method,
    url, coalesce(retry_policy, v_queue.retry_policy, 'exponential'), form, content_type,
    headers::text, tags, bytes);
  RETURN v_id;
END $$;

-- Enqueues a task whose webhook carries `payload`. It is delivered only if the caller's transaction commits. Returns the
-- task's id, in a spelling that the API accepts.
CREATE OR REPLACE FUNCTION postern.enqueue(
  queue text, url text, payload jsonb DEFAULT NULL, delay interval DEFAULT '0',
  run_at timestamptz DEFAULT NULL, priority integer DEFAULT 5, max_retries integer DEFAULT NULL,
  headers jsonb DEFAULT NULL, method text DEFAULT 'POST', timeout interval DEFAULT NULL,
  deadline timestamptz DEFAULT NULL, retry_policy text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT postern.enqueue_row(session_user, queue, url, 'payload', convert_to(payload::text, 'UTF8'),
                             NULL, delay, run_at, priority, max_retries, headers, method, timeout,
                             deadline, retry_policy, tags)
$$;

-- The same with a body that is sent unchanged.
CREATE OR REPLACE FUNCTION postern.enqueue(
  queue text, url text, body bytea, content_type text, delay interval DEFAULT '0',
  run_at timestamptz DEFAULT NULL, priority integer DEFAULT 5, max_retries integer DEFAULT NULL,
  headers jsonb DEFAULT NULL, method text DEFAULT 'POST', timeout interval DEFAULT NULL,
  deadline timestamptz DEFAULT NULL, retry_policy text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT postern.enqueue_row(session_user, queue, url, 'raw', body, content_type, delay, run_at,
                             priority, max_retries, headers, method, timeout, deadline,
                             retry_policy, tags)
$$;
