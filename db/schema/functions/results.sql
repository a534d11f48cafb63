-- The results of dependencies, which the webhooks of some tasks carry.

-- Of those of `p_tasks` that completed: a JSON array of [id, answer in base64, microseconds when it finished]. A function, so
-- that claims prepare the scan of all partitions only when a task asks for it.
CREATE OR REPLACE FUNCTION postern.results_of(p_tenant text, p_tasks uuid[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (
    SELECT json_agg(json_build_array(f.id, replace(encode(f.result_body, 'base64'), E'\n', ''),
                                     (extract(epoch FROM least(f.finished_at, '9999-12-31 23:59:59+00')) * 1000000)::bigint))
      FROM unnest(p_tasks) AS d(id)
      CROSS JOIN LATERAL (
        SELECT * FROM postern.task_finished k
         WHERE k.id = d.id AND k.tenant = p_tenant AND k.finished_at >= postern.finished_since(d.id) AND k.state = 'completed'
        OFFSET 0) f)::text;
END $$;
