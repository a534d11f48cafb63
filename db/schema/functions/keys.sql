-- API keys.

-- The owner of the API key with this hash; no row when it is unknown, revoked or expired.
CREATE OR REPLACE FUNCTION postern.authenticate(p_hash bytea)
RETURNS TABLE (name text, role text, tenant text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY
    SELECT k.name, k.role, k.tenant FROM postern.api_key k
     WHERE k.hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
  IF FOUND AND NOT pg_is_in_recovery() THEN
    UPDATE postern.api_key k SET last_used_at = date_trunc('minute', now())
     WHERE k.hash = p_hash
       AND (k.last_used_at IS NULL OR k.last_used_at < date_trunc('minute', now()))
       AND pg_try_advisory_xact_lock(hashtextextended(encode(p_hash, 'hex'), 0));
  END IF;
END $$;
