-- In which cell a tenant is.

-- The tenants that are not here, or about to leave, and may have rows here: schedulers take nothing of theirs. One that has moved
-- has none once they are deleted, and gets none (see postern.move_fence), so there are no more of them than moves under way,
-- however many have left. In PL/pgSQL, which keeps the plan: 9 us instead of 74.
CREATE OR REPLACE FUNCTION postern.resting() RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ARRAY(SELECT t.name FROM postern.tenant t WHERE t.state NOT IN ('here', 'moved')
               UNION ALL
               SELECT m.tenant FROM postern.move m WHERE m.source AND m.step = 'deleting');
END $$;
