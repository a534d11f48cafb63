-- Endpoints by name.

-- The endpoint to which a task goes that names `p_name`: the exact name, else the longest name that it begins with, else the
-- one with the empty name. Nothing for NULL.
--
-- Each step is one descent of the index, to the last name that is not behind `key` (names are in the order of their bytes). A
-- name that `key` begins with stands before it, and all that stand between the two begin with it; so what is looked for is the
-- one found, or no longer than what this and `key` have in common. One or two steps are usual, 129 the most.
CREATE OR REPLACE FUNCTION postern.endpoint_of(p_tenant text, p_name text) RETURNS SETOF postern.endpoint
LANGUAGE plpgsql STABLE STRICT ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key text := p_name;
  near postern.endpoint;
  same integer;
BEGIN
  LOOP
    SELECT * INTO near FROM postern.endpoint p WHERE p.tenant = p_tenant AND p.name <= key COLLATE "C" ORDER BY p.name DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    IF starts_with(key, near.name) THEN
      RETURN NEXT near;
      EXIT;
    END IF;
    same := least(length(near.name), length(key)) - 1;
    WHILE left(near.name, same) <> left(key, same) LOOP
      same := same - 1;
    END LOOP;
    key := left(key, same);
  END LOOP;
END $$;
