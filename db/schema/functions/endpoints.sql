-- Which endpoint a name stands for.

-- The endpoint of that name, else the one with the longest name that it begins with, down to the one named ''; no row: there
-- is none. Without a search_path of its own, so that it becomes part of the statement that asks.
CREATE OR REPLACE FUNCTION postern.endpoint_of(p_tenant text, p_name text) RETURNS SETOF postern.endpoint
LANGUAGE sql STABLE AS $$
  SELECT p.* FROM postern.endpoint p
   WHERE p.tenant = p_tenant AND starts_with(p_name, p.name) ORDER BY length(p.name) DESC LIMIT 1
$$;
