-- The SQL door: tasks that an application enqueues inside its own transaction.

-- The common part of the two functions below. What core would refuse is refused here: see arguments.sql. It inserts nothing
-- but the task's row, so that no other transaction has to wait for this one.
CREATE OR REPLACE FUNCTION postern.enqueue_row(
  p_role name, queue text, url text, payload jsonb, form text, bytes bytea, content_type text, delay interval,
  run_at timestamptz, priority integer, max_retries integer, headers jsonb, method text,
  timeout interval, deadline timestamptz, retry_policy text, tags text[])
RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
  v_tenant text := coalesce((SELECT r.tenant FROM postern.role_tenant r WHERE r.role = p_role), 'default');
  v_start timestamptz;
  v_queue postern.queue;
  v_id uuid := postern.new_task_id();
  v_made timestamptz := clock_timestamp();  -- the time in the id: lists find a task by either
  v_wrong text;
  v_away text;
  v_cell text;
BEGIN
  v_wrong := CASE
    WHEN (queue ~ '^[a-zA-Z0-9_:-]{1,64}$') IS NOT TRUE THEN 'queue: must match ^[a-zA-Z0-9_:-]{1,64}$'
    WHEN queue = 'aq_test' THEN 'queue: must not be aq_test, which is that of sandbox keys'
    WHEN url IS NULL THEN 'url: must be given'
    WHEN (priority BETWEEN 1 AND 10) IS NOT TRUE THEN 'priority: must be 1 to 10'
    WHEN max_retries NOT BETWEEN 0 AND 100 THEN 'max_retries: must be 0 to 100'
    WHEN run_at NOT BETWEEN '1970-01-01 00:00:00+00' AND now() + interval '3660 days' THEN
      'run_at: must be a time from 1970 to ten years ahead'
    WHEN (delay BETWEEN '0' AND interval '3660 days') IS NOT TRUE THEN 'delay: must be 0 to ten years'
    WHEN timeout NOT BETWEEN '1 second' AND interval '30 minutes' THEN 'timeout: must be 1 second to 30 minutes'
    WHEN NOT postern.is_time(deadline) THEN 'deadline: must be a time from 1970 to 9999'
    WHEN deadline <= now() THEN 'deadline: must not be in the past'
    WHEN deadline < coalesce(run_at, now() + delay) THEN 'deadline: must not be before the start'
    WHEN (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')) IS NOT TRUE THEN
      'method: must be GET, POST, PUT, PATCH or DELETE'
    WHEN method = 'GET' AND bytes IS NOT NULL THEN 'method: must not be GET, which carries no body, with a payload'
    WHEN octet_length(concat(headers::text, tags::text, content_type, retry_policy)) > 65536 THEN
      'headers, tags, content_type, retry_policy: must be at most 64 KiB together'
    WHEN octet_length(bytes) > 16777216 THEN 'payload: must be at most 16 MiB'
  END;
  v_wrong := coalesce(v_wrong, postern.wrong_url(url));
  IF v_wrong IS NULL AND payload IS NOT NULL THEN
    v_wrong := postern.wrong_payload(payload);
  END IF;
  IF v_wrong IS NULL AND headers IS NOT NULL THEN
    v_wrong := postern.wrong_headers(headers);
  END IF;
  IF v_wrong IS NULL AND retry_policy IS NOT NULL THEN
    v_wrong := postern.wrong_retry_policy(retry_policy);
  END IF;
  IF v_wrong IS NULL AND content_type IS NOT NULL THEN
    v_wrong := postern.wrong_content_type(content_type);
  END IF;
  IF v_wrong IS NULL AND tags IS NOT NULL THEN
    v_wrong := postern.wrong_tags(tags);
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION '%', v_wrong USING ERRCODE = 'check_violation';
  END IF;
  SELECT t.state, t.moved_to INTO v_away, v_cell FROM postern.tenant t WHERE t.name = v_tenant AND t.state <> 'here';
  IF v_away = 'moved' OR v_away = 'arriving' AND v_cell IS NOT NULL THEN  -- one that comes back is there until it has arrived
    RAISE EXCEPTION 'the tenant % has moved to the cell %', v_tenant, v_cell USING ERRCODE = 'PM002';
  ELSIF v_away = 'arriving' THEN
    RAISE EXCEPTION 'the tenant % is on its way into this cell', v_tenant USING ERRCODE = 'PM001';
  ELSIF v_away = 'fenced' THEN
    RAISE EXCEPTION 'the tenant % is on its way to another cell', v_tenant USING ERRCODE = 'PM001';
  END IF;
  v_start := coalesce(run_at, now() + delay);
  SELECT * INTO v_queue FROM postern.queue q WHERE q.tenant = v_tenant AND q.name = enqueue_row.queue;
  INSERT INTO postern.task (
    id, created_at, updated_at, run_at, deadline, timeout_ms, max_attempts, priority, state, tenant, queue, method,
    url, retry_policy, body_form, content_type, headers, tags, body)
  VALUES (
    v_id, v_made, v_made, v_start, deadline,
    coalesce((extract(epoch FROM timeout) * 1000)::integer, v_queue.timeout_ms, 30000),
    least(1 + coalesce(max_retries, v_queue.max_retries, 3), v_queue.max_tries), priority * 10,
    CASE WHEN v_start > clock_timestamp() THEN 'delayed' ELSE 'ready' END, v_tenant, queue, method,
    postern.canonical_url(url), coalesce(retry_policy, v_queue.retry_policy, 'exponential'), form, content_type,
    headers::text, tags, bytes);
  RETURN v_id;
END $$;

-- Enqueues a task whose webhook carries `payload`, an object or null, which means none. It is delivered only if the caller's transaction commits. Returns the
-- task's id, in a spelling that the API accepts.
CREATE OR REPLACE FUNCTION postern.enqueue(
  queue text, url text, payload jsonb DEFAULT NULL, delay interval DEFAULT '0',
  run_at timestamptz DEFAULT NULL, priority integer DEFAULT 5, max_retries integer DEFAULT NULL,
  headers jsonb DEFAULT NULL, method text DEFAULT 'POST', timeout interval DEFAULT NULL,
  deadline timestamptz DEFAULT NULL, retry_policy text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT postern.enqueue_row(session_user, queue, url, given, 'payload', convert_to(given::text, 'UTF8'),
                             NULL, delay, run_at, priority, max_retries, headers, method, timeout,
                             deadline, retry_policy, tags)
    FROM nullif(payload, 'null') AS given
$$;

-- The same with a body that is sent unchanged.
CREATE OR REPLACE FUNCTION postern.enqueue(
  queue text, url text, body bytea, content_type text, delay interval DEFAULT '0',
  run_at timestamptz DEFAULT NULL, priority integer DEFAULT 5, max_retries integer DEFAULT NULL,
  headers jsonb DEFAULT NULL, method text DEFAULT 'POST', timeout interval DEFAULT NULL,
  deadline timestamptz DEFAULT NULL, retry_policy text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT postern.enqueue_row(session_user, queue, url, NULL, 'raw', body, content_type, delay, run_at,
                             priority, max_retries, headers, method, timeout, deadline,
                             retry_policy, tags)
$$;
